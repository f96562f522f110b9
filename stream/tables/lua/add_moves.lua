-- Adds the moves a worker saw, once: it numbers what it tells. KEYS: movers, index, hash of each pane.
-- ARGV: worker, number, now (ms), forget workers silent since (ms), most fields a pane, counts (msgpack, see counts.lua).
-- Answers 1, or 0 for what was added before.
local held = redis.call('HGET', KEYS[1], ARGV[1])
if held and tonumber(string.match(held, '^%d+')) >= tonumber(ARGV[2]) then return 0 end
local told = redis.call('HGETALL', KEYS[1])
for i = 1, #told, 2 do
  if tonumber(string.match(told[i + 1], '%d+$')) < tonumber(ARGV[4]) then redis.call('HDEL', KEYS[1], told[i]) end
end
add_counts(cmsgpack.unpack(ARGV[6]), tonumber(ARGV[5]), 2)
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ':' .. ARGV[3])
return 1
