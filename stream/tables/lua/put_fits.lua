-- Puts fitted rows and takes their SKUs off the list of stale ones, unless the lease went to another owner.
-- KEYS: fitter, fits, stale. ARGV: epoch, then SKU id and row of each; an empty row takes away what there was.
-- Gives the lease back: whoever comes next may take it.
-- Answers 1, or 0 when nothing was put.
if tonumber(redis.call('HGET', KEYS[1], 'epoch') or '0') ~= tonumber(ARGV[1]) then return 0 end
for i = 2, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[2], ARGV[i])
  else
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
  end
  redis.call('ZREM', KEYS[3], ARGV[i])
end
redis.call('HSET', KEYS[1], 'until', '0')
return 1
