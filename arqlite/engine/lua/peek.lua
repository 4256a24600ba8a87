-- peek: tell where a job is. Where it is, is its state; no field can disagree with it.
--
-- KEYS     jobs    hash  id -> record
--          ready   zset  id -> priority and time
--          sched   zset  id -> due time and priority
--          tries   hash  id -> tries and crashes
--          holds   hash  name of a hold -> the session that vouches for it
-- ARGV     base, id
-- RETURNS  {'absent'} or {'finished' | 'ready' | 'held' | 'scheduled' | 'running', record, due or ready ms,
--          tries}
-- COST     O(holds)
-- USES     clock score settle holds lanes
local now = clock()
local record = redis.call('HGET', jobs, id)
if not record or is_forgotten(record, now) then return {'absent'} end
if string.sub(record, 1, 1) == 'R' then return {'finished', record, -1, ''} end
local memory = redis.call('HGET', tries, id) or ''
local score = redis.call('ZSCORE', sched, id)
if score then
  local due = due_of(tonumber(score))
  return {due > now and 'scheduled' or 'ready', record, due, memory}
end
local home = 'ready'
score = redis.call('ZSCORE', ready, id) or lanes_in(base).score(id)
if not score then
  home = 'held'
  score = moves_of_holds(base, holds).score(id)
end
if score then return {home, record, tonumber(score) % PRIORITY_STEP + EPOCH, memory} end
return {'running', record, -1, memory}
