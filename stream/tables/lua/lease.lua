-- Takes or extends the lease on a tag. KEYS: fitter. ARGV: owner, now, time to live (milliseconds).
-- Answers the epoch that the owner's writes carry, 0 when another owner's lease still runs.
local owner, until_ms = unpack(redis.call('HMGET', KEYS[1], 'owner', 'until'))
local now = tonumber(ARGV[2])
local epoch
if owner == ARGV[1] then
  epoch = tonumber(redis.call('HGET', KEYS[1], 'epoch'))
elseif tonumber(until_ms or '0') > now then
  return 0
else
  epoch = redis.call('HINCRBY', KEYS[1], 'epoch', 1)
end
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'until', string.format('%d', now + tonumber(ARGV[3])))
return epoch
