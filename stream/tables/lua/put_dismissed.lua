-- Puts what a basket or a customer dismissed in the place of what was read. KEYS: dismissed, dismissals.
-- ARGV: basket or customer, value as read ('' if none), as it is to be, time of the newest (ms), most of them a tag.
-- Answers 0, 6 (it changed since) or 7 (no room for another).
local held = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if held ~= ARGV[2] then return 6 end
if held == '' and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[5]) then return 7 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('ZADD', KEYS[2], 'GT', ARGV[4], ARGV[1])
return 0
