-- Applies the coalesced deltas of one batch to one tag and moves the tag's fence, all or nothing.
-- KEYS: fences, orders, tiers, due, outbox, then (partners, packed) of each SKU, then (customer, spend) of each customer.
-- ARGV: source, epoch, fence field, first, last, known fence, watermark pane, number of SKUs,
--       headers (per SKU: id 8, order delta int32, number of partners uint32; big-endian),
--       partners (per partner: id 8, delta int32), accounts (as account.lua reads them),
--       tiers (msgpack: {{rise, keep}, ...} from the second tier on), cause.
-- Answers {0, messages put in the outbox}, or the refusal.
local epoch, first, last = tonumber(ARGV[2]), tonumber(ARGV[4]), tonumber(ARGV[5])
local refusal = refuse_owner(ARGV[1], epoch) or refuse_range(ARGV[3], first, last, tonumber(ARGV[6]))
if refusal then return refusal end

local headers, entries, at = ARGV[9], ARGV[10], 1
local key = 5
for h = 1, #headers, 16 do
  local id, orders, partners = struct.unpack('>c8i4I4', headers, h)
  if orders ~= 0 then
    if redis.call('HINCRBY', KEYS[2], id, orders) == 0 then redis.call('HDEL', KEYS[2], id) end
  end
  local co, packed = KEYS[key + 1], KEYS[key + 2]
  key = key + 2
  for _ = 1, partners do
    local partner, delta = struct.unpack('>c8i4', entries, at)
    at = at + 12
    if redis.call('ZINCRBY', co, delta, partner) == '0' then redis.call('ZREM', co, partner) end
  end
  redis.call('DEL', packed)
end

local posted = 0
local accounts, tiers = ARGV[11], cmsgpack.unpack(ARGV[12])
at = 1
while at <= #accounts do
  local messages
  at, messages = change_account(accounts, at, KEYS[key + 1], KEYS[key + 2], tiers, ARGV[13])
  key = key + 2
  posted = posted + messages
end
redis.call('HSET', KEYS[1], ARGV[3], ARGV[5] .. ':' .. ARGV[7])
return {0, posted}
