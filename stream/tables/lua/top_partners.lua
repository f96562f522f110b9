-- Reads the best partners of SKUs of one tag, packing a list when no packed one is there.
-- KEYS: orders, then (partners, packed) of each SKU. ARGV: most partners, then the SKU ids.
-- Answers, for each: order count uint32, then (partner id 8, count uint32) best first; big-endian.
local answers = {}
for i = 2, #ARGV do
  local partners, packed = KEYS[2 * i - 2], KEYS[2 * i - 1]
  local list = redis.call('GET', packed)
  if not list then
    local parts = {struct.pack('>I4', math.max(0, tonumber(redis.call('HGET', KEYS[1], ARGV[i]) or '0')))}
    local best = redis.call('ZREVRANGE', partners, 0, tonumber(ARGV[1]) - 1, 'WITHSCORES')
    for j = 1, #best, 2 do
      local count = tonumber(best[j + 1])
      if count > 0 then parts[#parts + 1] = best[j] .. struct.pack('>I4', count) end
    end
    list = table.concat(parts)
    -- A Redis that cannot write now (full memory, full disk) still answers. Nothing is kept of a SKU without partners: a
    -- flood of made-up SKUs in baskets leaves no key behind.
    if #parts > 1 then redis.pcall('SET', packed, list) end
  end
  answers[i - 1] = list
end
return answers
