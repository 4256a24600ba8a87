-- size: count the jobs that have not ended.
--
-- KEYS     live    zset  session -> lease deadline, ms
--          ready   zset  id -> priority and time
--          sched   zset  id -> due time and priority
--          susp    zset  id -> priority and time
--          holds   hash  name of a hold -> the session that vouches for it
-- ARGV     base
-- RETURNS  {ready, scheduled, running, sessions alive, held, suspended}
-- COST     O(sessions + holds)
-- USES     clock holds lanes
local running = 0
for _, sid in ipairs(redis.call('ZRANGE', live, 0, -1)) do
  running = running + redis.call('SCARD', base .. 'run:' .. sid)
end
local alive = redis.call('ZCOUNT', live, clock(), '+inf')
return {redis.call('ZCARD', ready) + lanes_in(base).count(), redis.call('ZCARD', sched), running, alive,
  moves_of_holds(base, holds).count(), redis.call('ZCARD', susp)}
