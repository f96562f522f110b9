-- Claims orders for the records that placed them and logs each once under its pane.
-- KEYS: fences, claims, panes, parked, waiting, then one pane key for each pane of ARGV[5].
-- ARGV: source, epoch, partition (4 bytes), orders (each: id 16, offset 8, pane int32, first live pane int32, pane number uint16, size uint32, record),
--       pane members (msgpack: {"<partition>:<pane>", ...}).
-- Returns that waited for an order become part of its record: their packed list takes the place of the empty one that the
-- record ends with. Answers {0, verdicts in order: '1' counts, '2' counts and something of it was undone, '0' duplicate}.
local refusal = refuse_owner(ARGV[1], tonumber(ARGV[2]))
if refusal then return refusal end
local partition, members = ARGV[3], cmsgpack.unpack(ARGV[5])
local verdicts, touched = {}, {}
local parked = redis.call('EXISTS', KEYS[4]) == 1
local orders, at = ARGV[4], 1
while at <= #orders do
  local order, offset, pane, live_from, number, size, record = struct.unpack('>c16c8c4i4I2I4', orders, at)
  at = record + size
  local position = partition .. offset
  local won = redis.call('HSETNX', KEYS[2], order, position .. pane) == 1
  local mine = won
  if not won then
    local claim = redis.call('HGET', KEYS[2], order)
    -- What is logged counts, whoever holds the claim by now: expiry will take it away again.
    mine = string.sub(claim, 1, 12) == position or redis.call('HGET', KEYS[5 + number], offset)
    if not mine and struct.unpack('>i4', claim, 13) < live_from then
      redis.call('HSET', KEYS[2], order, position .. pane)
      won, mine = true, true
    end
  end
  local placed, verdict = string.sub(orders, record, at - 1), mine and '1' or '0'
  if won then
    local returns = parked and redis.call('HGET', KEYS[4], order)
    if returns then
      placed, verdict = string.sub(placed, 1, -2) .. returns, '2'
      redis.call('HDEL', KEYS[4], order)
      redis.call('ZREM', KEYS[5], order)
    end
    redis.call('HSET', KEYS[5 + number], offset, placed)
    touched[number] = members[number]
  elseif mine and (redis.call('HGET', KEYS[5 + number], offset) or placed) ~= placed then
    verdict = '2'
  end
  verdicts[#verdicts + 1] = verdict
end
for _, member in pairs(touched) do redis.call('SADD', KEYS[3], member) end
return {0, table.concat(verdicts)}
