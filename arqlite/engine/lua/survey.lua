-- survey: tell all about a queue that concerns its workers.
--
-- KEYS     live    zset  session -> lease deadline, ms
--          jobs    hash  id -> record
--          ready   zset  id -> priority and time
--          sched   zset  id -> due time and priority
--          holds   hash  name of a hold -> the session that vouches for it
--          sessions  hash  session -> what it tells of itself
--          vitals  hash  session -> how its process was at its last beat
--          meta    hash  what was settled for the queue
-- ARGV     base
-- RETURNS  {} of a queue that nobody has used, else {the clock, what was settled (field, value, ...), jobs that
--          may start, jobs that wait for their time, starts that count against a rate that all jobs share or -1,
--          per session: its name, its lease deadline, what it tells of itself, the ids it runs, its vitals}
-- COST     O(sessions + running + holds)
-- USES     clock holds rules grants lanes
if redis.call('EXISTS', jobs, live, meta) == 0 then return {} end
local now, rules, used = clock(), rules_of(base, '', ''), -1
if rules and rules.rate and rules.rate.part == '' then
  used = rules.rate.most - grants_of(base, rules.rate, now).left('')
end
local lanes = lanes_in(base)
local waiting = redis.call('ZCARD', ready) + lanes.count() + moves_of_holds(base, holds).count()
local found = redis.call('ZRANGE', live, 0, -1, 'WITHSCORES')
local answer = {now, redis.call('HGETALL', meta), waiting, redis.call('ZCARD', sched), used}
for i = 1, #found, 2 do
  local running = {}
  local ids = redis.call('SMEMBERS', base .. 'run:' .. found[i])
  local unsorted = #ids > 0 and lanes.unsorted(ids) or {}
  for place, id in ipairs(ids) do
    if not unsorted[place] then running[#running + 1] = id end
  end
  local about = redis.call('HGET', sessions, found[i]) or ''
  local told = redis.call('HGET', vitals, found[i]) or ''
  answer[#answer + 1] = {found[i], tonumber(found[i + 1]), about, running, told}
end
return answer
