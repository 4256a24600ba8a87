-- size: count the jobs that have not ended.
--
-- KEYS     live    zset  session -> lease deadline, ms
--          dead    set   sessions whose jobs are not all moved yet
--          ready   zset  id -> priority and time
--          sched   zset  id -> due time and priority
-- ARGV     base
-- RETURNS  {ready, scheduled, running, sessions alive}
-- COST     O(sessions)
-- USES     clock
local running = 0
for _, set in ipairs({redis.call('ZRANGE', live, 0, -1), redis.call('SMEMBERS', dead)}) do
  for _, sid in ipairs(set) do running = running + redis.call('SCARD', base .. 'run:' .. sid) end
end
local alive = redis.call('ZCOUNT', live, clock(), '+inf')
return {redis.call('ZCARD', ready), redis.call('ZCARD', sched), running, alive}
