-- rescue: end the sessions whose lease is over, and put their jobs back in front of their priority. What they had
-- been asked to cancel, and have not, ends here: nobody else has heard of it.
--
-- KEYS     live    zset  session -> lease deadline, ms; 0 when it ended and jobs remain to be moved
--          jobs    hash  id -> record
--          ready   zset  id -> priority and time
--          tries   hash  id -> tries, crashes, ...
--          wake    list  the token
--          wait    set   ids whose end somebody awaits
--          ttls    set   result lifetimes in use
--          sessions  hash  session -> what it tells of itself
--          vitals  hash  session -> how its process was at its last beat
-- ARGV     base, channel, sid, limit
--          body    what to write as the end of one that is cancelled; the job itself is appended
--          ttl_ms  how long that is kept
-- RETURNS  {ms to the earliest end of a lease other than sid's or -1, session, moved, session, moved, ...}
-- COST     O(moved log N)
-- USES     clock lease score settle announce wake locks flows finish swept rules grants lanes limits notes
local now = clock()
local rules = rules_of(base, '', '')
local limits = rules and limits_of(base, rules, now)
local budget = tonumber(limit)
local moved = {}
for _, over in ipairs(redis.call('ZRANGEBYSCORE', live, '-inf', now, 'LIMIT', 0, 100)) do
  local run = base .. 'run:' .. over
  local ids = budget > 0 and redis.call('SPOP', run, budget) or {}
  if #ids > 0 then
    local records = redis.call('HMGET', jobs, unpack(ids))
    local memories = redis.call('HMGET', tries, unpack(ids))
    -- A process that had to leave them behind bequeathed them: they did not take it down.
    local is_crash = redis.call('EXISTS', base .. 'will:' .. over) == 0
    -- What it was only to sort it has not run.
    local unsorted = limits and limits.unsorted(ids) or {}
    if limits then limits.left(ids, true) end
    local inbox = base .. 'cancel:' .. over
    local asked = redis.call('EXISTS', inbox) == 1 and redis.call('SMISMEMBER', inbox, unpack(ids)) or {}
    local cancelled, bodies = {}, {}
    for i, id in ipairs(ids) do
      if records[i] and asked[i] == 1 then
        cancelled[#cancelled + 1] = id
        bodies[#cancelled] = body .. string.sub(records[i], 3)
        keep_notes(base .. 'note:' .. id, base .. 'log:' .. id, tonumber(ttl_ms))
      elseif records[i] and unsorted[i] then
        redis.call('ZADD', ready, tonumber(unsorted[i]), id)
      elseif records[i] then
        if is_crash then
          local tried, crashed, rest = string.match(memories[i] or '0:0:', '^(%d+):(%d+):(.*)$')
          redis.call('HSET', tries, id, tried .. ':' .. string.format('%d', crashed + 1) .. ':' .. rest)
        end
        redis.call('ZADD', ready, ready_score(priority_of(records[i]), 0), id)
      end
    end
    if #cancelled > 0 then
      if limits then limits.over(cancelled) end
      finish(base, jobs, ttls, tries, wait, channel, tonumber(ttl_ms), least_of(base), now, cancelled, bodies)
      for _, id in ipairs(cancelled) do redis.call('RPUSH', base .. 'swept', '\0' .. id) end
      redis.call('PEXPIRE', base .. 'swept', SWEPT_FOR)
    end
    budget = budget - #ids
    moved[#moved + 1] = over
    moved[#moved + 1] = #ids - #cancelled
    leave_token(wake)
  end
  if redis.call('EXISTS', run) == 1 then
    redis.call('ZADD', live, 0, over)
  else
    redis.call('ZREM', live, over)
    redis.call('HDEL', sessions, over)
    redis.call('HDEL', vitals, over)
    leave_swept(base, over)
    redis.call('DEL', base .. 'cancel:' .. over, base .. 'will:' .. over)
  end
end
if limits then limits.look_again() end
return {next_end_of_others(live, sid, now), unpack(moved)}
