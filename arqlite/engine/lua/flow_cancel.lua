-- flow_cancel: cancel the steps of a workflow that wait for others, and tell which may run or run.
--
-- KEYS     jobs    hash  id -> record
--          tries   hash  id -> tries and crashes
--          wait    set   ids whose end somebody awaits
--          ttls    set   result lifetimes in use
-- ARGV     base, channel, wid, ttl_ms
-- RETURNS  {1, how many were cancelled here, ids of jobs that `cancel` is to be asked for}, {0} it is unknown or
--          does not go on, {-1} what it did is being taken back
-- COST     O(steps)
-- USES     clock score settle announce wake locks flows finish
local now = clock()
local moves = moves_of_flows(base, jobs, wait, channel, now)
local state = moves.state(wid)
if state == 'compensating' then return {-1} end
if state ~= 'running' then return {0} end
local ids, bodies, live = moves.cancel(wid)
finish_swept(base, jobs, ttls, tries, wait, channel, tonumber(ttl_ms), now, ids, bodies)
return {1, #ids, live}
