-- Counts what became of offers, all of a batch or nothing, and moves the fence. KEYS: fences, index, hash of each pane.
-- ARGV: source, epoch, first offset, last, known fence, watermark pane, most fields a pane, counts (msgpack, see counts.lua).
-- Answers {0, fields refused for want of room}, or the refusal.
local first, last = tonumber(ARGV[3]), tonumber(ARGV[4])
local refusal = refuse_owner(ARGV[1], tonumber(ARGV[2])) or refuse_range(KEYS[1], ARGV[1], first, last, tonumber(ARGV[5]))
if refusal then return refusal end
local refused = add_counts(cmsgpack.unpack(ARGV[8]), tonumber(ARGV[7]))
redis.call('HSET', KEYS[1], ARGV[1], ARGV[4] .. ':' .. ARGV[6])
return {0, refused}
