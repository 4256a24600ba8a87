-- compose: store steps of a workflow, and with the last of them let it begin.
--
-- Large workflows come in several calls, of which only the last lets anything run. What a caller leaves
-- unfinished is forgotten an hour later.
--
-- What somebody does to the steps by hand meanwhile counts when it begins.
--
-- KEYS     jobs    hash  id -> record
--          susp    zset  id -> priority and time
--          steps   hash  id of a job -> number of its step and its workflow
--          flows   zset  workflow -> when it was stored, ms
--          over    zset  workflow -> when it may be forgotten, ms
--          flow    hash  the workflow, see lib/flows.lua
--          tries   hash  id -> tries and crashes
--          wait    set   ids whose end somebody awaits
--          ttls    set   result lifetimes in use
-- ARGV     base, channel, wid, name, keep_ms
--          gives   with the first call what it gives as a whole, as Python wrote it
--          total   steps of the workflow proper
--          first   '1' with the first call
--          roots   with the last call the numbers of the steps that wait for nothing, separated by commas; else ''
--          work*   per step: number, id of its job, record or '' of a compensation, plan, how many it waits
--                  for, template or ''
-- RETURNS  1 done, 2 it has begun before, 0 what came before has been forgotten
-- COST     O(n log N)
-- USES     clock score settle announce wake locks flows finish
local UNFINISHED_FOR, CANCELLED_FOR = 3600000, 3600000
local now = clock()
local moves = moves_of_flows(base, jobs, wait, channel, now)
local state = moves.state(wid)
if state ~= '' and state ~= 'planting' then return 2 end
if state == '' then
  if first ~= '1' then return 0 end
  redis.call('HSET', flow, 'name', name, 'state', 'planting', 'at', string.format('%.0f', now), 'keep', keep_ms,
    'total', total, 'open', total, 'failed', '0', 'cancelled', '0', 'gives', gives)
  redis.call('ZADD', flows, now, wid)
  redis.call('ZADD', over, now + UNFINISHED_FOR, wid)
end

for i = work, #ARGV, 6 do
  local n, id, record, template = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 5]
  local is_compensation = record == ''
  -- It is there already if this call is made again as its answer was lost; it may be elsewhere by now.
  if redis.call('HSETNX', flow, 'p:' .. n, ARGV[i + 3]) == 1 then
    redis.call('HSET', flow, 's:' .. n, is_compensation and 'H' or 'W', 'n:' .. n, ARGV[i + 4])
    if template ~= '' then redis.call('HSET', flow, 't:' .. n, template) end
    redis.call('HSET', steps, id, n .. ':' .. wid)
    if not is_compensation then
      redis.call('HSET', jobs, id, record)
      redis.call('ZADD', susp, ready_score(priority_of(record), now), id)
    end
  end
end
if roots ~= '' then
  local ids, bodies = moves.begin(wid, roots)
  finish_swept(base, jobs, ttls, tries, wait, channel, CANCELLED_FOR, now, ids, bodies)
end
return 1
