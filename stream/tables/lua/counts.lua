-- Adds counts to the hashes of panes, the keys behind KEYS[before]; KEYS[2] is their index: pane -> changes. `panes` is a
-- list of {pane, {field, delta, field, delta, ...}}; one that gets nothing stays as it is, and is not made. A hash takes
-- no more than `most` fields; answers how many were refused. Fields are read and written many at a time: two commands
-- for each made a call of 500 a fifth slower.
local function add_counts(panes, most, before)
  local refused = 0
  for i, pane in ipairs(panes) do
    local key, counts = KEYS[before + i], pane[2]
    local room = #counts > 0 and most - redis.call('HLEN', key)
    for done = 0, #counts - 1, 1000 do
      local fields, update = {}, {}
      for at = done + 1, math.min(#counts, done + 1000), 2 do fields[#fields + 1] = counts[at] end
      for j, held in ipairs(redis.call('HMGET', key, unpack(fields))) do
        if held or room > 0 then
          if not held then room = room - 1 end
          update[#update + 1] = fields[j]
          update[#update + 1] = (tonumber(held or 0)) + counts[done + 2 * j]
        else
          refused = refused + 1
        end
      end
      if #update > 0 then redis.call('HSET', key, unpack(update)) end
    end
    if #counts > 0 then redis.call('HINCRBY', KEYS[2], pane[1], 1) end
  end
  return refused
end
