-- Counts what became of offers, all of a call or nothing, each event id once, and moves the fence.
-- KEYS: fences, index, heard, hash of each pane.
-- ARGV: source, epoch, first offset, last, known fence, watermark pane, most fields a pane, offsets an id is remembered for,
--       events (each: offset 8, event id 8, number of its count uint16),
--       counts (msgpack: {{pane, {field, ...}}, ...}, the fields numbered through).
-- Answers {0, fields refused for want of room, events that came before}, or the refusal.
local first, last = tonumber(ARGV[3]), tonumber(ARGV[4])
local refusal = refuse_owner(ARGV[1], tonumber(ARGV[2])) or refuse_range(KEYS[1], ARGV[1], first, last, tonumber(ARGV[5]))
if refusal then return refusal end

local events, ids, offsets, numbers = ARGV[9], {}, {}, {}
for at = 1, #events, 18 do
  local i = #ids + 1
  offsets[i], ids[i], numbers[i] = struct.unpack('>I8c8I2', events, at)
end

-- Whether an event came before is asked of its own offset, not of where the call ends: the log alone decides, however it
-- was cut. Repeats are remembered too, so that it is enough to look at the records just before one.
local held, newest, update = redis.call('ZMSCORE', KEYS[3], unpack(ids)), {}, {}
local times, repeats, remembered = {}, 0, tonumber(ARGV[8])
for i, id in ipairs(ids) do
  local offset, before = offsets[i], newest[id] or (held[i] and tonumber(held[i]))
  if before and before < offset and before >= offset - remembered then
    repeats = repeats + 1
  else
    times[numbers[i]] = (times[numbers[i]] or 0) + 1
  end
  newest[id], update[2 * i - 1], update[2 * i] = offset, offset, id
end
redis.call('ZADD', KEYS[3], unpack(update))
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', last - remembered)

local panes, number = cmsgpack.unpack(ARGV[10]), 0
for _, pane in ipairs(panes) do
  local counts = {}
  for _, field in ipairs(pane[2]) do
    number = number + 1
    if times[number] then
      counts[#counts + 1], counts[#counts + 2] = field, times[number]
    end
  end
  pane[2] = counts
end
local refused = add_counts(panes, tonumber(ARGV[7]), 3)
redis.call('HSET', KEYS[1], ARGV[1], ARGV[4] .. ':' .. ARGV[6])
return {0, refused, repeats}
