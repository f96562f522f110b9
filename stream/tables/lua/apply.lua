-- Applies the coalesced deltas of one batch to one tag and moves the tag's fence, all or nothing.
-- KEYS: fences, orders, tiers, due, outbox, the hash that holds the fence (fences or undone), erased,
--       then (partners, packed) of each SKU, then (customer, spend, diary) of each customer.
-- ARGV: source, epoch, fence field, first, last, known fence, watermark pane, number of SKUs,
--       headers (per SKU: id 8, order delta int32, number of partners uint32; big-endian),
--       partners (per partner: id 8, delta int32), accounts (as account.lua reads them),
--       tiers (msgpack: {{rise, keep}, ...} from the second tier on), cause.
-- Answers {0, messages put in the outbox, diaries that became too long}, or the refusal.
local epoch, first, last = tonumber(ARGV[2]), tonumber(ARGV[4]), tonumber(ARGV[5])
local refusal = refuse_owner(ARGV[1], epoch) or refuse_range(KEYS[6], ARGV[3], first, last, tonumber(ARGV[6]))
if refusal then return refusal end

-- Adds the deltas of one SKU's partners; answers where the next SKU's begin. Scores are read and written many at a time:
-- that costs an eighth less than an increment each, and the append-only file gets one command for them.
local function add_together(co, entries, at, partners)
  for done = 0, partners - 1, 500 do
    local members, deltas = {}, {}
    for i = 1, math.min(500, partners - done) do
      members[i], deltas[i], at = struct.unpack('>c8i4', entries, at)
    end
    local scores, gone = redis.call('ZMSCORE', co, unpack(members)), {}
    local update = {}
    for i, member in ipairs(members) do
      local score = (tonumber(scores[i] or 0)) + deltas[i]
      update[2 * i - 1], update[2 * i] = score, member
      if score == 0 then gone[#gone + 1] = member end
    end
    redis.call('ZADD', co, unpack(update))
    if #gone > 0 then redis.call('ZREM', co, unpack(gone)) end
  end
  return at
end

local headers, entries, at = ARGV[9], ARGV[10], 1
local key = 7
for h = 1, #headers, 16 do
  local id, orders, partners = struct.unpack('>c8i4I4', headers, h)
  if orders ~= 0 then
    if redis.call('HINCRBY', KEYS[2], id, orders) == 0 then redis.call('HDEL', KEYS[2], id) end
  end
  local co, packed = KEYS[key + 1], KEYS[key + 2]
  key = key + 2
  at = add_together(co, entries, at, partners)
  redis.call('DEL', packed)
end

local posted, full = 0, 0
local accounts, tiers = ARGV[11], cmsgpack.unpack(ARGV[12])
local erasures = #accounts > 0 and redis.call('EXISTS', KEYS[7]) == 1
at = 1
while at <= #accounts do
  local messages, filled
  at, messages, filled = change_account(
    accounts, at, KEYS[key + 1], KEYS[key + 2], KEYS[key + 3], tiers, ARGV[13], erasures)
  key = key + 3
  posted, full = posted + messages, full + filled
end
redis.call('HSET', KEYS[6], ARGV[3], ARGV[5] .. ':' .. ARGV[7])
return {0, posted, full}
