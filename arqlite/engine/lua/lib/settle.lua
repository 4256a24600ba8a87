-- Write the ends of jobs: 'R', when it may be forgotten (13 digits of ms), then what Python wrote
-- (an outcome letter and the result). `ttl` 0 keeps nothing, -1 keeps for ever.
--
-- A queue with a ledger remembers an end for `least` ms even so: expired, and without its job, for nobody but who
-- compares the queue with the ledger. Of the job it tells when it was enqueued, which its id alone does not. What
-- is kept for less loses its job when it expires: the list of such ends is called `<ttl>+<rest of least>`.
local FOREVER = '9999999999999'

local ENQUEUED = '^{"f":"[^"]*","et":(%d+)'

local function without_job(body)
  local from = 10 + (tonumber(string.sub(body, 2, 9), 16) or 0)
  local enqueued = string.match(body, ENQUEUED, from)
  return string.sub(body, 1, from - 1) .. (enqueued and '{"et":' .. enqueued .. '}' or '')
end

-- How long the queue's ledger wants ends to be remembered, in ms; 0 without a ledger.
local function least_of(base)
  return tonumber(redis.call('HGET', base .. 'marker', 'remember') or 0)
end

-- The same of an end that somebody made by hand: a day. No worker hears of it, and there need not be any.
local BY_HAND = 86400000
local function least_by_hand_of(base)
  local least = least_of(base)
  return least > 0 and math.max(least, BY_HAND) or 0
end

local function settle(base, jobs, ttls, ttl, least, now, ids, bodies)
  if #ids == 0 then return end
  -- A moment of 14 digits would be read as its first 13, long ago.
  if now + ttl >= tonumber(FOREVER) then ttl = -1 end
  local kept = ttl == 0 and least or ttl
  if kept == 0 then
    redis.call('HDEL', jobs, unpack(ids))
    return
  end
  local head = 'R' .. (ttl < 0 and FOREVER or string.format('%013d', now + ttl))
  local fields = {}
  for i, id in ipairs(ids) do
    fields[2 * i - 1] = id
    fields[2 * i] = head .. (ttl == 0 and without_job(bodies[i]) or bodies[i])
  end
  redis.call('HSET', jobs, unpack(fields))
  if kept > 0 then
    local class = string.format('%d', kept)
    if kept < least then class = class .. string.format('+%d', least - kept) end
    local moment = string.format('%013d', now + kept)
    redis.call('RPUSH', base .. 'done:' .. class, moment .. '\0' .. table.concat(ids, '\0'))
    redis.call('SADD', ttls, class)
  end
end

-- A finished record that outlived its time is as good as absent, though pruning is lazy.
local function is_forgotten(record, now)
  return string.sub(record, 1, 1) == 'R' and tonumber(string.sub(record, 2, 14)) <= now
end

-- When the job of a record was enqueued, as digits; nothing where it is not written in JSON.
local function enqueued_of(record)
  if string.sub(record, 1, 1) == 'Q' then return string.match(record, ENQUEUED, 3) end
  local from = 24 + (tonumber(string.sub(record, 16, 23), 16) or 0)
  return string.match(record, '^{"et":(%d+)}', from) or string.match(record, ENQUEUED, from)
end
