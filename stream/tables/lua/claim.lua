-- Claims orders for the records that placed them and logs each once under its pane.
-- KEYS: fences, claims, panes, then one pane key for each pane of ARGV[5].
-- ARGV: source, epoch, partition (4 bytes), orders (each: id 16, offset 8, pane int32, first live pane int32, pane number uint16, size uint32, record),
--       pane members (msgpack: {"<partition>:<pane>", ...}).
-- Answers {0, string of '1' (counts) and '0' (duplicate) in order}, or the refusal.
local refusal = refuse_owner(ARGV[1], tonumber(ARGV[2]))
if refusal then return refusal end
local partition, members = ARGV[3], cmsgpack.unpack(ARGV[5])
local verdicts, touched = {}, {}
local orders, at = ARGV[4], 1
while at <= #orders do
  local order, offset, pane, live_from, number, size, record = struct.unpack('>c16c8c4i4I2I4', orders, at)
  at = record + size
  local position = partition .. offset
  local won = redis.call('HSETNX', KEYS[2], order, position .. pane) == 1
  local mine = won
  if not won then
    local claim = redis.call('HGET', KEYS[2], order)
    mine = string.sub(claim, 1, 12) == position
    if not mine and struct.unpack('>i4', claim, 13) < live_from then
      redis.call('HSET', KEYS[2], order, position .. pane)
      won, mine = true, true
    end
  end
  if won then
    redis.call('HSET', KEYS[3 + number], offset, string.sub(orders, record, at - 1))
    touched[number] = members[number]
  end
  verdicts[#verdicts + 1] = mine and '1' or '0'
end
for _, member in pairs(touched) do redis.call('SADD', KEYS[3], member) end
return {0, table.concat(verdicts)}
