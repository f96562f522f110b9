-- Puts values into a hash unless a later record of the same partition did. KEYS: hash, and a counter of changes if readers want one.
-- ARGV[1], for each value: field length uint16, value length uint32, field, position (partition 4, offset 8), value.
-- Answers the value each one displaced, '' if none.
local displaced, puts, at = {}, ARGV[1], 1
while at <= #puts do
  local length, size, text = struct.unpack('>I2I4', puts, at)
  local field, stamped = string.sub(puts, text, text + length - 1), text + length
  at = stamped + 12 + size
  local current = redis.call('HGET', KEYS[1], field)
  local newer = true
  if current then
    local p, high, low = struct.unpack('>I4I4I4', current)
    local q, high2, low2 = struct.unpack('>I4I4I4', puts, stamped)
    newer = p ~= q or high2 > high or (high2 == high and low2 >= low)
  end
  if newer then redis.call('HSET', KEYS[1], field, string.sub(puts, stamped, at - 1)) end
  displaced[#displaced + 1] = current and string.sub(current, 13) or ''
end
if KEYS[2] then redis.call('INCR', KEYS[2]) end
return displaced
