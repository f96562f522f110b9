-- Drops a field of a hash if it still holds the value that was read. KEYS: hash. ARGV: field, value.
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then return redis.call('HDEL', KEYS[1], ARGV[1]) end
return 0
