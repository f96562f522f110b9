-- Prelude of every script that writes counts. KEYS[1] is the tag's fences hash.
-- A worker may write while it holds the newest epoch of its partition; a batch is applied once, in offset order.

-- nil when `epoch` is the one in force, else the answer to give: another worker took over, or Redis lost its tail.
local function refuse_owner(source, epoch)
  local held = tonumber(redis.call('HGET', KEYS[1], source .. '/e') or '0')
  if held > epoch then return {3, held} end
  if held < epoch then return {4, held} end
  return nil
end

local function fence_of(key, field)
  local stored = redis.call('HGET', key, field)
  if stored then return tonumber(string.match(stored, '^(-?%d+)')) end
  -- The fence of a pane that is over in this tag may be gone: it stands behind every offset.
  local source, pane = string.match(field, '^(.+)/x(-?%d+)$')
  local folded = source and redis.call('HGET', key, source .. '/f')
  if folded and tonumber(pane) < tonumber(string.match(folded, '^(-?%d+)')) then return 4503599627370496 end
  return -1
end

-- nil when first..last lies wholly behind the fence `field` of the hash `key`, else the answer to give.
local function refuse_range(key, field, first, last, known)
  local fence = fence_of(key, field)
  if fence < known then return {4, fence} end
  if last <= fence then return {1, fence} end
  if first <= fence then return {2, fence} end
  return nil
end
