-- The starts that count against a rate, per lane; '' is the lane of all jobs where nothing is partitioned.
--
-- A grant is open from the claim until the worker has told that the job started: when it did in between,
-- nobody else knows. Only then it begins to age, and counts until more than the period is over; the jobs that
-- a worker gives back unstarted take theirs along. Grants that age are a list of moments, each with the sum
-- of all before and at it. Its first entry is over, and there for its sum.
local function grants_of(base, rate, now)
  local grants = {}

  local function open_of(lane) return base .. 'rlo:' .. lane end

  local function past_of(lane) return base .. 'rlc:' .. lane end

  local function moment_of(entry) return tonumber(string.match(entry, '^%d+')) end

  local function sum_at(entry) return tonumber(string.match(entry, '%d+$')) end

  -- Returns how many jobs may start, and in how many ms at the earliest that will be more.
  grants.left = function(lane)
    local past = past_of(lane)
    local used, wait = redis.call('SCARD', open_of(lane)), rate.ms + 1
    local oldest = redis.call('LINDEX', past, 1)
    while oldest and now - moment_of(oldest) > rate.ms do
      redis.call('LPOP', past)
      oldest = redis.call('LINDEX', past, 1)
    end
    if oldest then
      used = used + sum_at(redis.call('LINDEX', past, -1)) - sum_at(redis.call('LINDEX', past, 0))
      wait = math.min(moment_of(oldest) + rate.ms + 1 - now, wait)
    end
    return rate.most - used, wait
  end

  grants.take = function(lane, ids) redis.call('SADD', open_of(lane), unpack(ids)) end

  local function age(lane, count)
    local past = past_of(lane)
    local newest = redis.call('LINDEX', past, -1)
    if not newest then
      newest = '0:0'
      redis.call('RPUSH', past, newest)
    end
    local entry = string.format('%.0f:%.0f', now, sum_at(newest) + count)
    if moment_of(newest) == now then redis.call('LSET', past, -1, entry) else redis.call('RPUSH', past, entry) end
    redis.call('PEXPIRE', past, rate.ms + 1000)
  end

  -- The grants of these jobs are open no longer. Those that count from now on age, the others are void.
  grants.close = function(lane, ids, counts)
    local closed = redis.call('SREM', open_of(lane), unpack(ids))
    if closed > 0 and counts and rate then age(lane, closed) end
  end

  return grants
end
