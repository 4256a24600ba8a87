-- rewrite: change what a job is, where nobody has changed it meanwhile: its record, priority and due time.
--
-- KEYS     jobs    hash  id -> record
--          ready   zset  id -> priority and time
--          sched   zset  id -> due time and priority
--          susp    zset  id -> priority and time
--          tries   hash  id -> tries, crashes, ...
--          wake    list  the token
--          locks   hash  id -> digest of the lock that it holds
-- ARGV     base, id
--          expected  the record as the caller read it
--          states    letters of the states in which it may be changed
--          record    the new one; its priority is that of the job from now on
--          when      as in enqueue when it is due; 'keep' leaves that as it is, as it is for a job that runs
-- RETURNS  1 done (a repetition included), 0 it was changed meanwhile or is in another state, -1 it is
--          unknown, -2 it waits for results that will be written into it
-- COST     O(log N + holds + sessions)
-- USES     clock score settle announce wake holds lanes homes locks flows
local now = clock()
local old = redis.call('HGET', jobs, id)
if not old or is_forgotten(old, now) then return -1 end
if old == record and old ~= expected then return 1 end
if old ~= expected then return 0 end
-- What ended is told by its own record, which stays as it is.
if string.sub(old, 1, 1) == 'R' then return 0 end
local homes = homes_of(base)
local state = homes.letter_of(id, old, now)
if not state then return -1 end
if not string.find(states, state, 1, true) then return 0 end

local sign = string.sub(when, 1, 1)
local at = sign == '' and now or sign == '=' and tonumber(string.sub(when, 2)) or when ~= 'keep' and now + tonumber(when)
if redis.call('EXISTS', base .. 'steps') == 1 then
  local flows = moves_of_flows(base, jobs, '', '', now)
  if state == 'u' and not flows.can_run_alone(id) then return -2 end
  flows.changed(id, record, state == 'u' and at)
end
redis.call('HSET', jobs, id, record)
local priority = priority_of(record)

-- Its lane may be another one now: it is sorted anew, from where it stands.
local lanes = lanes_in(base)
local place = lanes.score(id)
if lanes.remove(id) then
  redis.call('ZADD', ready, place, id)
  leave_token(wake)
end
if state ~= 'e' then lanes.forget(id) end

if when == 'keep' then
  homes.rank(id, priority)
  return 1
end

local is_suspended = redis.call('ZADD', susp, 'XX', 'CH', ready_score(priority, at), id) == 1
local waits = not is_suspended and homes.take(id)
if not waits and not is_suspended then return 1 end
if redis.call('EXISTS', locks) == 1 then moves_of_locks(base).moved(id, at) end
if is_suspended then return 1 end
-- It waits for this moment now, and no longer for another try.
local memory = redis.call('HGET', tries, id)
local tried, crashed, rest = string.match(memory or '', '^(%d+):(%d+):%d*(.*)$')
if tried then
  local due = string.format('%.0f', at)
  redis.call('HSET', tries, id, tried .. ':' .. crashed .. ':' .. due .. string.gsub(rest, '^(:%d+:%d+:%d+[:%d]*):1$', '%1:0'))
end
if at > now then
  local head = redis.call('ZRANGE', sched, 0, 0, 'WITHSCORES')[2]
  local score = sched_score(priority, at)
  redis.call('ZADD', sched, score, id)
  if not head or score < tonumber(head) then leave_token(wake) end
else
  redis.call('ZADD', ready, ready_score(priority, at), id)
  leave_token(wake)
end
return 1
