-- Adds counts to the hashes of panes, the keys behind KEYS[before]; KEYS[2] is their index: pane -> changes. `panes` is a
-- list of {pane, {field, delta, field, delta, ...}}; one that gets nothing stays as it is, and is not made. A hash takes
-- no more than `most` fields; answers how many were refused.
local function add_counts(panes, most, before)
  local refused = 0
  for i, pane in ipairs(panes) do
    local key, counts = KEYS[before + i], pane[2]
    local room = #counts > 0 and most - redis.call('HLEN', key)
    for at = 1, #counts, 2 do
      local known = redis.call('HEXISTS', key, counts[at]) == 1
      if known or room > 0 then
        redis.call('HINCRBY', key, counts[at], counts[at + 1])
        if not known then room = room - 1 end
      else
        refused = refused + 1
      end
    end
    if #counts > 0 then redis.call('HINCRBY', KEYS[2], pane[1], 1) end
  end
  return refused
end
