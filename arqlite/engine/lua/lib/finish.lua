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

-- The ends of jobs, with all that goes with them; whoever ends a job calls this and nothing less.
local function finish(base, jobs, ttls, tries, wait, channel, ttl, now, ids, bodies)
  settle(base, jobs, ttls, ttl, now, ids, bodies)
  if redis.call('EXISTS', tries) == 1 then
    local troubled = {}
    for i, memory in ipairs(redis.call('HMGET', tries, unpack(ids))) do
      if memory then
        troubled[#troubled + 1] = ids[i]
        keep_errors(base .. 'err:' .. ids[i], ttl)
      end
    end
    if #troubled > 0 then redis.call('HDEL', tries, unpack(troubled)) end
  end
  if redis.call('EXISTS', base .. 'locks') == 1 then moves_of_locks(base).ended(ttl, now, ids, bodies) end
  announce(wait, channel, ids, bodies)
end
