-- depth: count the jobs of a queue by where they are, and tell since when the eldest could start.
--
-- KEYS     jobs    hash  id -> record
--          ready   zset  id -> priority and time
--          sched   zset  id -> due time and priority
--          susp    zset  id -> priority and time
--          live    zset  session -> lease deadline, ms
--          tries   hash  id -> tries and crashes
--          holds   hash  name of a hold -> the session that vouches for it
-- ARGV     base
-- RETURNS  {the clock, jobs that may start, jobs that wait for their time, suspended, running, all that are
--          known, those that are remembered for trouble, since when the eldest may start (ms since 1970) or -1,
--          and the records of jobs that were put in front, whose moment no home keeps}
-- COST     O(sessions + holds)
-- USES     clock score holds lanes
local PRIORITIES = 10
local now = clock()
local held = moves_of_holds(base, holds)
local eldest, front = -1, {}

local function look(zset)
  for priority = 0, PRIORITIES - 1 do
    local first, last = ready_score(priority, 0), ready_score(priority + 1, 0) - 1
    local found = redis.call('ZRANGEBYSCORE', zset, first + 1, last, 'WITHSCORES', 'LIMIT', 0, 1)
    if found[2] then
      local since = tonumber(found[2]) % PRIORITY_STEP + EPOCH
      if eldest < 0 or since < eldest then eldest = since end
    end
    found = redis.call('ZRANGEBYSCORE', zset, first, first, 'LIMIT', 0, 1)
    if found[1] then front[#front + 1] = redis.call('HGET', jobs, found[1]) or nil end
  end
end

local lanes = lanes_in(base)
look(ready)
for _, zset in ipairs(lanes.zsets) do look(zset) end
for _, name in ipairs(held.names()) do look(base .. 'hold:' .. name) end
local overdue = redis.call('ZCOUNT', sched, '-inf', sched_score(0, now + 1) - 1)
local head = redis.call('ZRANGE', sched, 0, 0, 'WITHSCORES')[2]
if overdue > 0 and (eldest < 0 or due_of(tonumber(head)) < eldest) then eldest = due_of(tonumber(head)) end

-- What a worker was given only to sort it runs no more than before.
local unsorted = redis.call('ZCARD', base .. 'sorting')
local running = -unsorted
for _, sid in ipairs(redis.call('ZRANGE', live, 0, -1)) do
  running = running + redis.call('SCARD', base .. 'run:' .. sid)
end
local available = redis.call('ZCARD', ready) + lanes.count() + held.count() + unsorted + overdue
return {now, available, redis.call('ZCARD', sched) - overdue,
  redis.call('ZCARD', susp), running, redis.call('HLEN', jobs), redis.call('HLEN', tries), eldest, front}
