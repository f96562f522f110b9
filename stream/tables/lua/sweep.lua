-- Takes the panes up to a cutoff out of one customer's account. Repeating it changes nothing.
-- KEYS: fences, account, tiers, due, outbox, spend. ARGV: customer id, cutoff pane, tiers (msgpack), cause.
-- Answers {0, messages put in the outbox}.
local id, cutoff = ARGV[1], tonumber(ARGV[2])
local fields = redis.call('HGETALL', KEYS[6])
local earliest = nil
for i = 1, #fields, 2 do
  local pane, what = string.match(fields[i], '^(-?%d+):(.+)$')
  pane = tonumber(pane)
  if pane <= cutoff then
    redis.call('HDEL', KEYS[6], fields[i])
    local delta = fields[i + 1]
    delta = string.sub(delta, 1, 1) == '-' and string.sub(delta, 2) or ('-' .. delta)
    add(KEYS[2], what == 'o' and 'orders' or ('t:' .. what), delta)
  elseif earliest == nil or pane < earliest then
    earliest = pane
  end
end
if earliest then redis.call('ZADD', KEYS[4], earliest, id) else redis.call('ZREM', KEYS[4], id) end
local posted = settle_tier(id, KEYS[2], cmsgpack.unpack(ARGV[3]), ARGV[4])
forget_if_empty(id, KEYS[2], KEYS[6])
return {0, posted}
