-- flow_retry: let the steps of a workflow run that did not end well or were taken back, in their order; or its
-- compensations that failed.
--
-- KEYS     jobs    hash  id -> record
--          wait    set   ids whose end somebody awaits
-- ARGV     base, channel, wid
-- RETURNS  how many live again; -1 it is unknown, -2 what it did is being taken back
-- COST     O(steps log N)
-- USES     clock score announce wake flows
local moves = moves_of_flows(base, jobs, wait, channel, clock())
local state = moves.state(wid)
if state == '' or state == 'planting' then return -1 end
if state == 'compensating' then return -2 end
if state == 'compensation_failed' then return moves.compensate_again(wid) end
return moves.retry(wid)
