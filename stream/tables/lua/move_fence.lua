-- Moves a tag that got no delta up to `offset`. KEYS: fences. ARGV: source, epoch, offset, watermark pane, known fence.
local refusal = refuse_owner(ARGV[1], tonumber(ARGV[2]))
if refusal then return refusal end
local offset, fence = tonumber(ARGV[3]), fence_of(KEYS[1], ARGV[1])
if fence < tonumber(ARGV[5]) then return {4, fence} end
if offset <= fence then return {1, fence} end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3] .. ':' .. ARGV[4])
return {0, offset}
