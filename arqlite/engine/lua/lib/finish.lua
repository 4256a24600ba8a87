-- What the failed attempts of a job left behind: a list, newest last. It goes on while the job does, and
-- is kept as long as its end from then on: `ttl` 0 keeps nothing, -1 keeps for ever.
local MOST_ERRORS, FURTHEST_END = 100, 9999999999999

local function keep_errors(errors, ttl)
  if ttl < 0 or ttl > FURTHEST_END then
    redis.call('PERSIST', errors)
  elseif ttl == 0 then
    redis.call('DEL', errors)
  else
    redis.call('PEXPIRE', errors, ttl)
  end
end

local function add_error(errors, ttl, text)
  -- The same bytes again are a resend whose first reply was lost.
  if redis.call('LINDEX', errors, -1) ~= text and redis.call('RPUSH', errors, text) > MOST_ERRORS then
    redis.call('LTRIM', errors, -MOST_ERRORS, -1)
  end
  keep_errors(errors, ttl)
end

local function forget_troubles(base, tries, ttl, ids)
  if redis.call('EXISTS', tries) == 0 then return end
  local troubled = {}
  for i, memory in ipairs(redis.call('HMGET', tries, unpack(ids))) do
    if memory then
      troubled[#troubled + 1] = ids[i]
      keep_errors(base .. 'err:' .. ids[i], ttl)
    end
  end
  if #troubled > 0 then redis.call('HDEL', tries, unpack(troubled)) end
end

-- The ends of jobs, with all that goes with them; whoever ends a job calls this and nothing less. With a step
-- of a workflow, others may end that wait for it, any number of them. Nobody runs those, so that a turn brings word of
-- them (`swept`, see lib/swept.lua) to somebody who tells it, for a day: there may be nobody.
local UNPACKED, UNTOLD, UNTOLD_FOR = 1000, 20000, 86400000

local function in_portions(base, ids, bodies)
  local portions = {}
  for i = 1, #ids, UNPACKED do
    local last = math.min(i + UNPACKED - 1, #ids)
    redis.call('RPUSH', base .. 'swept', unpack(ids, i, last))
    portions[#portions + 1] = {ids = {unpack(ids, i, last)}, bodies = {unpack(bodies, i, last)}, is_swept = true}
  end
  if #ids > 0 then
    redis.call('LTRIM', base .. 'swept', -UNTOLD, -1)
    redis.call('PEXPIRE', base .. 'swept', UNTOLD_FOR)
    leave_token(base .. 'wake')
  end
  return portions
end

local function finish(base, jobs, ttls, tries, wait, channel, ttl, least, now, ids, bodies)
  -- Mostly there is nobody and nothing else to think of: one look for all of it.
  if redis.call('EXISTS', tries, wait, base .. 'locks', base .. 'steps') == 0 then
    settle(base, jobs, ttls, ttl, least, now, ids, bodies)
    return
  end
  local ended = {{ids = ids, bodies = bodies}}
  local has_locks = redis.call('EXISTS', base .. 'locks') == 1
  local flows = redis.call('EXISTS', base .. 'steps') == 1 and moves_of_flows(base, jobs, wait, channel, now)
  while #ended > 0 do
    local batch = table.remove(ended)
    settle(base, jobs, ttls, ttl, least, now, batch.ids, batch.bodies)
    forget_troubles(base, tries, ttl, batch.ids)
    if has_locks then moves_of_locks(base).ended(ttl, now, batch.ids, batch.bodies) end
    announce(wait, channel, batch.ids, batch.bodies)
    if flows and not batch.is_swept then
      for _, swept in ipairs(in_portions(base, flows.ended(batch.ids, batch.bodies))) do ended[#ended + 1] = swept end
    end
  end
end

-- As `finish`, of steps that end without a run.
local function finish_swept(base, jobs, ttls, tries, wait, channel, ttl, now, ids, bodies)
  local least = least_of(base)
  for _, swept in ipairs(in_portions(base, ids, bodies)) do
    finish(base, jobs, ttls, tries, wait, channel, ttl, least, now, swept.ids, swept.bodies)
  end
end
