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

-- Sets the tier from the account and posts the change under `cause` (nil: tells nobody); answers the messages posted.
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
  if not cause then return 0 end
  redis.call('HSET', KEYS[5], cause .. '/' .. id, cmsgpack.pack({name, held, tier, spend}))
  return 1
end

local function add(key, field, delta)
  local total = redis.call('HINCRBY', key, field, delta)
  if total == 0 then redis.call('HDEL', key, field) end
  return total
end

-- What is left of a diary (diary.py) when the panes up to `through` go and what was taken back cancels out.
local function compacted(diary, through)
  local sums, seen, parts = {}, {}, {}
  for at = 1, #diary, 13 do
    local bought, weight = struct.unpack('>c12b', diary, at)
    if struct.unpack('>i4', diary, at + 8) > through then
      if not sums[bought] then seen[#seen + 1] = bought end
      sums[bought] = (sums[bought] or 0) + weight
    end
  end
  for _, bought in ipairs(seen) do
    local weight = sums[bought]
    while weight ~= 0 do
      local step = math.max(-127, math.min(127, weight))
      parts[#parts + 1] = struct.pack('>c12b', bought, step)
      weight = weight - step
    end
  end
  return table.concat(parts)
end

-- Takes the panes up to `through` out of a diary. In the place of one that was too long stands what is no entry.
local function take_purchases(diary, through)
  local held = redis.call('GET', diary)
  if not held or #held % 13 ~= 0 then return held end
  local left = compacted(held, through)
  if left == '' then
    redis.call('DEL', diary)
    return false
  end
  if #left < #held then redis.call('SET', diary, left) end
  return left
end

-- Adds entries to a diary; answers 1 when they are more than it holds.
local function add_purchases(diary, entries)
  local size = redis.call('APPEND', diary, entries)
  if size <= 13 * 5000 and size % 13 == 0 then return 0 end
  redis.call('SET', diary, '-')
  return size % 13 == 0 and 1 or 0
end

-- Forgets an account that holds nothing any more. Its diary may: an undo may come before what it undoes.
local function forget_if_empty(id, account, spend, diary)
  if redis.call('HGET', account, 'orders') or redis.call('HLEN', spend) > 0 then return end
  local held = take_purchases(diary, -2147483649)
  if held and #held % 13 ~= 0 then redis.call('DEL', diary) end
  redis.call('DEL', account)
  redis.call('HDEL', KEYS[3], id)
  redis.call('ZREM', KEYS[4], id)
end

-- Takes the panes up to `through` out of an account, and notes when it is due next.
local function take_panes(spend, account, id, through)
  local fields, earliest = redis.call('HGETALL', spend), nil
  for i = 1, #fields, 2 do
    local pane, what = string.match(fields[i], '^(-?%d+):(.+)$')
    pane = tonumber(pane)
    if pane <= through then
      redis.call('HDEL', spend, fields[i])
      local delta = fields[i + 1]
      delta = string.sub(delta, 1, 1) == '-' and string.sub(delta, 2) or ('-' .. delta)
      add(account, what == 'o' and 'orders' or ('t:' .. what), delta)
    elseif earliest == nil or pane < earliest then
      earliest = pane
    end
  end
  if earliest then redis.call('ZADD', KEYS[4], earliest, id) else redis.call('ZREM', KEYS[4], id) end
end

-- Applies the account at `at` of the payload: id 16, name length uint16, entries uint16, diary length uint32, name, diary,
-- and for each entry the lengths (3 bytes) and texts of pane, 'o' (orders) or currency, delta. Answers where the next
-- begins, messages posted, and 1 if the diary is too long from now on.
-- While nothing is taken away no tier can fall, and only a currency that grew can raise it: the common case stays short.
-- Panes that were wiped when the customer was erased (KEYS[7], looked into if `erasures`) take no change any more, and of a
-- tier that falls because more of an erased customer is taken away nobody is told.
local function change_account(payload, at, account, spend, diary, tiers, cause, erasures)
  local id, length, entries, size, name = struct.unpack('>c16I2I2I4', payload, at)
  at = name + length + size
  local mark = erasures and redis.call('HGET', KEYS[7], id)
  local wiped = mark and tonumber(string.match(mark, '^%d+:(-?%d+)'))
  local full = 0
  if size > 0 then
    local bought = string.sub(payload, name + length, at - 1)
    if wiped then bought = compacted(bought, wiped) end
    if #bought > 0 then full = add_purchases(diary, bought) end
  end
  local reached, earliest, latest, shrunk, emptied, new = 0, nil, nil, false, false, false
  for _ = 1, entries do
    local p, w, d, text = struct.unpack('>BBB', payload, at)
    local pane = string.sub(payload, text, text + p - 1)
    local what = string.sub(payload, text + p, text + p + w - 1)
    at = text + p + w + d
    if not wiped or tonumber(pane) > wiped then
      local delta = string.sub(payload, at - d, at - 1)
      add(spend, pane .. ':' .. what, delta)
      local total = add(account, what == 'o' and 'orders' or ('t:' .. what), delta)
      if what ~= 'o' then reached = math.max(reached, risen(tiers, total)) end
      new = new or total == tonumber(delta)
      shrunk, emptied = shrunk or tonumber(delta) < 0, emptied or total == 0
      earliest = math.min(earliest or tonumber(pane), tonumber(pane))
      latest = math.max(latest or tonumber(pane), tonumber(pane))
    end
  end
  if new and length > 0 then redis.call('HSET', account, 'id', string.sub(payload, name, name + length - 1)) end
  if earliest then redis.call('ZADD', KEYS[4], 'LT', earliest, id) end
  local posted = 0
  if shrunk or reached > tonumber(redis.call('HGET', KEYS[3], id) or '0') then
    if wiped and shrunk and latest <= wiped + 1 then cause = nil end
    posted = settle_tier(id, account, tiers, cause)
  end
  if shrunk or emptied then forget_if_empty(id, account, spend, diary) end
  return at, posted, full
end
