-- Drops the returns that wait for an order if the newest is of a pane up to the cutoff. KEYS: parked, waiting.
-- ARGV: order id, cutoff pane. Answers the returns dropped, '' if none.
local pane = redis.call('ZSCORE', KEYS[2], ARGV[1])
if not pane or tonumber(pane) > tonumber(ARGV[2]) then return '' end
local returns = redis.call('HGET', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return returns or ''
