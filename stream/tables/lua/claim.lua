-- Claims orders for the records that placed them and logs each once under its pane.
-- KEYS: fences, claims, panes, then one pane key for each pane of ARGV[5].
-- ARGV: source, epoch, partition (4 bytes), orders (msgpack: {order id, offset, pane (4 bytes), pane number, record}),
--       pane members (msgpack: {"<partition>:<pane>", ...}).
-- Answers {0, string of '1' (counts) and '0' (duplicate) in order}, or the refusal.
local refusal = refuse_owner(ARGV[1], tonumber(ARGV[2]))
if refusal then return refusal end
local partition, members = ARGV[3], cmsgpack.unpack(ARGV[5])
local verdicts = {}
for i, order in ipairs(cmsgpack.unpack(ARGV[4])) do
  local position = partition .. order[2]
  local claim = redis.call('HGET', KEYS[2], order[1])
  if not claim then
    redis.call('HSET', KEYS[2], order[1], position .. order[3])
    redis.call('HSET', KEYS[3 + order[4]], order[2], order[5])
    redis.call('SADD', KEYS[3], members[order[4]])
    verdicts[i] = '1'
  elseif string.sub(claim, 1, 12) == position then
    verdicts[i] = '1'
  else
    verdicts[i] = '0'
  end
end
return {0, table.concat(verdicts)}
