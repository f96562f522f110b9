-- Adds counts to the hashes of panes, KEYS[3] and on; KEYS[2] is their index: pane -> changes. `panes` is a list of
-- {pane, {field, delta, field, delta, ...}}. A hash takes no more than `most` fields; answers how many were refused.
local function add_counts(panes, most)
  local refused = 0
  for i, pane in ipairs(panes) do
    local key, counts = KEYS[2 + i], pane[2]
    local room = most - redis.call('HLEN', key)
    for at = 1, #counts, 2 do
      local known = redis.call('HEXISTS', key, counts[at]) == 1
      if known or room > 0 then
        redis.call('HINCRBY', key, counts[at], counts[at + 1])
        if not known then room = room - 1 end
      else
        refused = refused + 1
      end
    end
    redis.call('HINCRBY', KEYS[2], pane[1], 1)
  end
  return refused
end
