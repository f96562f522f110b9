-- Replaces the record of a logged order, unless it changed since it was read or its pane is being expired.
-- KEYS: fences, closed, pane. ARGV: source, epoch, order offset (8), record as read, as it is to be, pane member ('': even
-- while it is being expired). Answers {0, ''}, {5, ''} (pane closed) or {6, ''} (order changed since), or the refusal.
local refusal = refuse_owner(ARGV[1], tonumber(ARGV[2]))
if refusal then return refusal end
if ARGV[6] ~= '' and redis.call('SISMEMBER', KEYS[2], ARGV[6]) == 1 then return {5, ''} end
if redis.call('HGET', KEYS[3], ARGV[3]) ~= ARGV[4] then return {6, ''} end
redis.call('HSET', KEYS[3], ARGV[3], ARGV[5])
return {0, ''}
