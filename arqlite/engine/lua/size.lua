-- size: count the jobs that have not ended.
--
-- KEYS     live    zset  session -> lease deadline, ms
--          ready   zset  id -> priority and time
--          sched   zset  id -> due time and priority
-- ARGV     base
-- RETURNS  {ready, scheduled, running, sessions alive}
-- COST     O(sessions)
-- USES     clock
local running = 0
for _, sid in ipairs(redis.call('ZRANGE', live, 0, -1)) do
  running = running + redis.call('SCARD', base .. 'run:' .. sid)
end
local alive = redis.call('ZCOUNT', live, clock(), '+inf')
return {redis.call('ZCARD', ready), redis.call('ZCARD', sched), running, alive}
