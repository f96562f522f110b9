-- Writes down, once, what a return takes from an order, and shrinks the logged order by it.
-- KEYS: fences, returns, closed, pane. ARGV: source, epoch, return offset (8), order offset (8), order as read, order as
-- it is to be, what is taken, pane member. Answers {0, what is taken} or {5, ''} (pane closed), {6, ''} (order changed since).
local refusal = refuse_owner(ARGV[1], tonumber(ARGV[2]))
if refusal then return refusal end
local taken = redis.call('HGET', KEYS[2], ARGV[3])
if taken then return {0, taken} end
if redis.call('SISMEMBER', KEYS[3], ARGV[8]) == 1 then return {5, ''} end
if redis.call('HGET', KEYS[4], ARGV[4]) ~= ARGV[5] then return {6, ''} end
redis.call('HSET', KEYS[4], ARGV[4], ARGV[6])
redis.call('HSET', KEYS[2], ARGV[3], ARGV[7])
return {0, ARGV[7]}
