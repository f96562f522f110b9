-- Puts values into a hash unless a later record of the same partition did. KEYS: hash.
-- ARGV[1]: msgpack {{field, position (partition 4, offset 8), value}, ...}. Answers the value each one displaced, '' if none.
local displaced = {}
for i, put in ipairs(cmsgpack.unpack(ARGV[1])) do
  local current = redis.call('HGET', KEYS[1], put[1])
  local newer = true
  if current then
    local p, high, low = struct.unpack('>I4I4I4', current)
    local q, high2, low2 = struct.unpack('>I4I4I4', put[2])
    newer = p ~= q or high2 > high or (high2 == high and low2 >= low)
  end
  if newer then redis.call('HSET', KEYS[1], put[1], put[2] .. put[3]) end
  displaced[i] = current and string.sub(current, 13) or ''
end
return displaced
