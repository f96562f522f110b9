-- Lets go of what a basket or a customer dismissed up to a time. KEYS: dismissed, dismissals. ARGV: basket or customer,
-- time (ms). Answers 1, or 0 when there is nothing, or something newer.
local newest = redis.call('ZSCORE', KEYS[2], ARGV[1])
if not newest or tonumber(newest) > tonumber(ARGV[2]) then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return 1
