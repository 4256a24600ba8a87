-- rescue: end the sessions whose lease is over, and put their jobs back in front of their priority.
--
-- KEYS     live    zset  session -> lease deadline, ms; 0 when it ended and jobs remain to be moved
--          jobs    hash  id -> record
--          ready   zset  id -> priority and time
--          tries   hash  id -> tries, crashes, ...
--          wake    list  the token
--          sessions  hash  session -> what it tells of itself
-- ARGV     base, sid, limit
-- RETURNS  {ms to the earliest end of a lease other than sid's or -1, session, moved, session, moved, ...}
-- COST     O(moved log N)
-- USES     clock lease score wake swept rules grants lanes limits
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
    for i, id in ipairs(ids) do
      if records[i] and unsorted[i] then
        redis.call('ZADD', ready, tonumber(unsorted[i]), id)
      elseif records[i] then
        if is_crash then
          local tried, crashed, rest = string.match(memories[i] or '0:0:', '^(%d+):(%d+):(.*)$')
          redis.call('HSET', tries, id, tried .. ':' .. string.format('%d', crashed + 1) .. ':' .. rest)
        end
        redis.call('ZADD', ready, ready_score(priority_of(records[i]), 0), id)
      end
    end
    budget = budget - #ids
    moved[#moved + 1] = over
    moved[#moved + 1] = #ids
    leave_token(wake)
  end
  if redis.call('EXISTS', run) == 1 then
    redis.call('ZADD', live, 0, over)
  else
    redis.call('ZREM', live, over)
    redis.call('HDEL', sessions, over)
    leave_swept(base, over)
    redis.call('DEL', base .. 'cancel:' .. over, base .. 'will:' .. over)
  end
end
if limits then limits.look_again() end
return {next_end_of_others(live, sid, now), unpack(moved)}
