-- stage: make scheduled jobs available ahead of their time, in the order they are due.
--
-- KEYS     sched   zset  id -> due time and priority
--          ready   zset  id -> priority and time
--          wake    list  the token
-- ARGV     until_ms  jobs due at this moment or before, in ms since 1970; '' is all of them
-- RETURNS  how many
-- COST     O(due log N); for tests only
-- USES     score wake
local last = until_ms == '' and '+inf' or sched_score(0, tonumber(until_ms) + 1) - 1
local due = redis.call('ZRANGEBYSCORE', sched, '-inf', last, 'WITHSCORES')
for i = 1, #due, 2 do
  local score = tonumber(due[i + 1])
  redis.call('ZADD', ready, ready_score(score % DUE_STEP, due_of(score)), due[i])
  redis.call('ZREM', sched, due[i])
end
if #due > 0 then leave_token(wake) end
return #due / 2
