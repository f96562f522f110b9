-- Keeps the returns of an order that has not come yet. KEYS: fences, claims, parked, waiting.
-- ARGV: source, epoch, order id, returns as read ('' if none), as they are to be, pane of the newest, most orders to wait for.
-- Answers {0, ''}, {6, ''} (the order came, or its returns changed since) or {7, ''} (too many wait), or the refusal.
local refusal = refuse_owner(ARGV[1], tonumber(ARGV[2]))
if refusal then return refusal end
if redis.call('HEXISTS', KEYS[2], ARGV[3]) == 1 then return {6, ''} end
if (redis.call('HGET', KEYS[3], ARGV[3]) or '') ~= ARGV[4] then return {6, ''} end
if ARGV[4] == '' and redis.call('HLEN', KEYS[3]) >= tonumber(ARGV[7]) then return {7, ''} end
redis.call('HSET', KEYS[3], ARGV[3], ARGV[5])
redis.call('ZADD', KEYS[4], 'GT', ARGV[6], ARGV[3])
return {0, ''}
