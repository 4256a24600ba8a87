-- flow_drop: forget a workflow that does not go on.
--
-- KEYS     jobs    hash  id -> record
--          wait    set   ids whose end somebody awaits
-- ARGV     base, channel, wid
-- RETURNS  1 forgotten, 0 it is unknown, -1 it goes on
-- COST     O(steps)
-- USES     clock score announce wake flows
local moves = moves_of_flows(base, jobs, wait, channel, clock())
if moves.is_going_on(wid) then return -1 end
if moves.state(wid) == '' then return 0 end
moves.drop(wid)
return 1
