-- revive: let a job run that ended, or that waits for its time or for others, where nobody has changed it.
--
-- KEYS     jobs    hash  id -> record
--          ready   zset  id -> priority and time
--          sched   zset  id -> due time and priority
--          tries   hash  id -> tries and crashes
--          wake    list  the token
-- ARGV     base, id
--          expected    its record as the caller read it
--          remembered  what was remembered of it then
--          record      as it is from now on; its priority is the job's
--          memory      what to remember of it from now on; '' is nothing
--          due         when it may start, ms since 1970; '' is now
-- RETURNS  1 done, 0 it may start already or runs, or takes a result that is not there yet, -1 it is unknown,
--          -2 it has changed meanwhile; of a job that had ended a repetition is answered like the first call
-- COST     O(log N + holds)
-- USES     clock score settle announce wake locks flows holds lanes homes
local now = clock()
local old = redis.call('HGET', jobs, id)
if not old or is_forgotten(old, now) then return -1 end
local had_ended = string.sub(expected, 1, 1) == 'R'
if had_ended and old == record then return 1 end
if old ~= expected then return -2 end
if not had_ended then
  local homes = homes_of(base)
  local state = homes.letter_of(id, old, now)
  if not state then return -1 end
  if not string.find('sru', state, 1, true) then return 0 end
  if (redis.call('HGET', tries, id) or '') ~= remembered then return -2 end
  if state == 'u' and not moves_of_flows(base, jobs, '', '', now).can_run_alone(id) then return 0 end
  homes.take(id)
end

redis.call('HSET', jobs, id, record)
if memory == '' then redis.call('HDEL', tries, id) else redis.call('HSET', tries, id, memory) end
-- Its errors and its notes so far are a live job's again.
for _, kept in ipairs({'err:', 'note:', 'log:'}) do redis.call('PERSIST', base .. kept .. id) end
if had_ended then
  moves_of_locks(base).revived(id)
  local size = tonumber(string.sub(old, 16, 23), 16) or 0
  local is_changed = string.sub(old, 24 + size) ~= string.sub(record, 3)
  if is_changed then moves_of_flows(base, jobs, '', '', now).changed(id, record) end
end
local at = due == '' and now or tonumber(due)
if at > now then
  local score = sched_score(priority_of(record), at)
  local head = redis.call('ZRANGE', sched, 0, 0, 'WITHSCORES')[2]
  redis.call('ZADD', sched, score, id)
  if not head or score < tonumber(head) then leave_token(wake) end
else
  redis.call('ZADD', ready, ready_score(priority_of(record), at), id)
  leave_token(wake)
end
return 1
