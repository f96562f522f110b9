-- Wipes a customer: the panes of the account up to the last one to be wiped, the memory of the tier, messages that wait.
-- From here on the account takes no change in those panes. Repeating it changes nothing.
-- KEYS: fences, account, tiers, due, outbox, spend, erased, diary. ARGV: source, epoch, customer id, erased at (ms), mark, last pane
-- to wipe, tiers (msgpack). Answers {0, the mark in force: of the latest erasure}, or the refusal.
local refusal = refuse_owner(ARGV[1], tonumber(ARGV[2]))
if refusal then return refusal end
local id, mark, through = ARGV[3], ARGV[5], tonumber(ARGV[6])
local held = redis.call('HGET', KEYS[7], id)
if held and tonumber(string.match(held, '^%d+')) >= tonumber(ARGV[4]) then
  mark = held
else
  redis.call('HSET', KEYS[7], id, mark)
end
take_panes(KEYS[6], KEYS[2], id, through)
take_purchases(KEYS[8], through)
redis.call('HDEL', KEYS[3], id)
settle_tier(id, KEYS[2], cmsgpack.unpack(ARGV[7]), nil)
for _, field in ipairs(redis.call('HKEYS', KEYS[5])) do
  if string.sub(field, -17) == '/' .. id then redis.call('HDEL', KEYS[5], field) end
end
forget_if_empty(id, KEYS[2], KEYS[6], KEYS[8])
return {0, mark}
