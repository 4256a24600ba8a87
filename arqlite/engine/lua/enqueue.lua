-- enqueue: store new jobs and place each one, ready now or scheduled, unless an equal one is there.
--
-- KEYS     jobs    hash  id -> record
--          ready   zset  id -> priority and time
--          sched   zset  id -> due time and priority
--          wake    list  the token
-- ARGV     base
--          unique  how many of the jobs are
--          work*   per unique job, in the order of the jobs: position (from 1), digest, period ms (-1 for
--                  ever), letters of the states in which an equal job counts, 's' if the period begins when
--                  that is or was due, 'i' when it was enqueued;
--                  then per job: id, when ('' now, '+5' or '-5' ms from now, '=ms' absolute), record
-- RETURNS  per refused job its position (from 1) if its id is in use, or {position, id, state} of the equal
--          job
-- COST     O(n log N); per conflict O(sessions)
-- USES     clock score settle wake holds lanes homes locks conflict
local now = clock()
local jobs_in = work + 5 * tonumber(unique)
local next_unique, locks = work, jobs_in > work and moves_of_locks(base)
local fresh = {}
local ids = {}
for i = jobs_in, #ARGV, 3 do ids[#ids + 1] = ARGV[i] end
local known = redis.call('HMGET', jobs, unpack(ids))

local refused, taken = {}, {}
local records, starts, dues = {}, {}, {}
local earliest
for i, id in ipairs(ids) do
  local when, record = ARGV[jobs_in + 3 * i - 2], ARGV[jobs_in + 3 * i - 1]
  local lock
  if next_unique < jobs_in and tonumber(ARGV[next_unique]) == i then
    lock = next_unique
    next_unique = next_unique + 5
  end
  local old = taken[id] or known[i]
  if old and not is_forgotten(old, now) then
    -- The same bytes again are a resend whose first reply was lost: it was accepted then.
    local body = string.sub(record, 3)
    if old ~= record and string.sub(old, -#body) ~= body then refused[#refused + 1] = i end
  else
    local sign = string.sub(when, 1, 1)
    local at = sign == '' and now or sign == '=' and tonumber(string.sub(when, 2)) or now + tonumber(when)
    local equal, state
    if lock then
      local digest, period, by_due = ARGV[lock + 1], tonumber(ARGV[lock + 2]), ARGV[lock + 4] == 's'
      equal, state = conflict_of(base, jobs, locks, digest, now, period, ARGV[lock + 3], by_due, fresh)
      if not equal then
        locks.take(digest, id, now, at, period, by_due)
        fresh[id] = at > now and 's' or 'a'
      end
    end
    if equal then
      refused[#refused + 1] = {i, equal, state}
    else
      taken[id] = record
      records[#records + 1] = id
      records[#records + 1] = record
      if at > now then
        local score = sched_score(priority_of(record), at)
        if not earliest or score < earliest then earliest = score end
        dues[#dues + 1] = score
        dues[#dues + 1] = id
      else
        starts[#starts + 1] = ready_score(priority_of(record), at)
        starts[#starts + 1] = id
      end
    end
  end
end

if #records > 0 then redis.call('HSET', jobs, unpack(records)) end
if #starts > 0 then redis.call('ZADD', ready, unpack(starts)) end
local head_moved = false
if #dues > 0 then
  local head = redis.call('ZRANGE', sched, 0, 0, 'WITHSCORES')[2]
  head_moved = not head or earliest < tonumber(head)
  redis.call('ZADD', sched, unpack(dues))
end
if #starts > 0 or head_moved then leave_token(wake) end
return refused
