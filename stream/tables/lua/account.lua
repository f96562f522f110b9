-- A customer's account: spend and orders of the window, and the tier they make. Keys: tiers KEYS[3], due KEYS[4], outbox KEYS[5].

-- Highest tier whose threshold `spend` reaches; tiers[i] = {rise, keep} of tier i, tier 0 needs nothing.
local function risen(tiers, spend)
  for i = #tiers, 1, -1 do
    if spend >= tiers[i][1] then return i end
  end
  return 0
end

-- Highest tier, not above `held`, whose keep mark `spend` still reaches.
local function kept(tiers, spend, held)
  for i = held, 1, -1 do
    if spend >= tiers[i][2] then return i end
  end
  return 0
end

-- Sets the tier from the account and posts the change; answers 1 if it changed.
local function settle_tier(id, account, tiers, cause)
  local held = tonumber(redis.call('HGET', KEYS[3], id) or '0')
  if held > #tiers then held = #tiers end
  local fields = redis.call('HGETALL', account)
  local tier, spend = 0, {}
  local name = ''
  for i = 1, #fields, 2 do
    if string.sub(fields[i], 1, 2) == 't:' then
      local total = tonumber(fields[i + 1])
      tier = math.max(tier, risen(tiers, total), kept(tiers, total, held))
      spend[#spend + 1] = {string.sub(fields[i], 3), fields[i + 1]}
    elseif fields[i] == 'id' then
      name = fields[i + 1]
    end
  end
  if tier == held then return 0 end
  if tier == 0 then redis.call('HDEL', KEYS[3], id) else redis.call('HSET', KEYS[3], id, tier) end
  redis.call('HSET', KEYS[5], cause .. '/' .. id, cmsgpack.pack({name, held, tier, spend}))
  return 1
end

local function add(key, field, delta)
  local total = redis.call('HINCRBY', key, field, delta)
  if total == 0 then redis.call('HDEL', key, field) end
  return total
end

-- Forgets an account that holds nothing any more.
local function forget_if_empty(id, account, spend)
  if redis.call('HGET', account, 'orders') or redis.call('HLEN', spend) > 0 then return end
  redis.call('DEL', account)
  redis.call('HDEL', KEYS[3], id)
  redis.call('ZREM', KEYS[4], id)
end

-- Applies the account at `at` of the payload: id 16, name length uint16, entries uint16, name, and for each entry the
-- lengths (3 bytes) and texts of pane, 'o' (orders) or currency, delta. Answers where the next begins, messages posted.
-- While nothing is taken away no tier can fall, and only a currency that grew can raise it: the common case stays short.
local function change_account(payload, at, account, spend, tiers, cause)
  local id, length, entries, name = struct.unpack('>c16I2I2', payload, at)
  at = name + length
  local reached, earliest, shrunk, new = 0, nil, false, false
  for _ = 1, entries do
    local p, w, d, text = struct.unpack('>BBB', payload, at)
    local pane = string.sub(payload, text, text + p - 1)
    local what = string.sub(payload, text + p, text + p + w - 1)
    at = text + p + w + d
    local delta = string.sub(payload, at - d, at - 1)
    add(spend, pane .. ':' .. what, delta)
    local total = add(account, what == 'o' and 'orders' or ('t:' .. what), delta)
    if what ~= 'o' then reached = math.max(reached, risen(tiers, total)) end
    new = new or total == tonumber(delta)
    shrunk = shrunk or tonumber(delta) < 0
    earliest = math.min(earliest or tonumber(pane), tonumber(pane))
  end
  if new then redis.call('HSET', account, 'id', string.sub(payload, name, name + length - 1)) end
  if earliest then redis.call('ZADD', KEYS[4], 'LT', earliest, id) end
  local posted = 0
  if shrunk or reached > tonumber(redis.call('HGET', KEYS[3], id) or '0') then
    posted = settle_tier(id, account, tiers, cause)
  end
  if shrunk then forget_if_empty(id, account, spend) end
  return at, posted
end
