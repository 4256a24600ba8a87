-- Write the ends of jobs: 'R', when it may be forgotten (13 digits of ms), then what Python wrote
-- (an outcome letter and the result). `ttl` 0 keeps nothing, -1 keeps for ever.
local FOREVER = '9999999999999'

local function settle(base, jobs, ttls, ttl, now, ids, bodies)
  if #ids == 0 then return end
  -- A moment of 14 digits would be read as its first 13, long ago.
  if now + ttl >= tonumber(FOREVER) then ttl = -1 end
  if ttl == 0 then
    redis.call('HDEL', jobs, unpack(ids))
    return
  end
  local head = 'R' .. (ttl < 0 and FOREVER or string.format('%013d', now + ttl))
  local fields = {}
  for i, id in ipairs(ids) do
    fields[2 * i - 1] = id
    fields[2 * i] = head .. bodies[i]
  end
  redis.call('HSET', jobs, unpack(fields))
  if ttl > 0 then
    local class = string.format('%d', ttl)
    redis.call('RPUSH', base .. 'done:' .. class, string.sub(head, 2) .. '\0' .. table.concat(ids, '\0'))
    redis.call('SADD', ttls, class)
  end
end

-- A finished record that outlived its time is as good as absent, though pruning is lazy.
local function is_forgotten(record, now)
  return string.sub(record, 1, 1) == 'R' and tonumber(string.sub(record, 2, 14)) <= now
end
