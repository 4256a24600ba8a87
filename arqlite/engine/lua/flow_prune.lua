-- flow_prune: forget workflows whose time is over, and those that were stored in part and left so.
--
-- KEYS     jobs    hash  id -> record
--          wait    set   ids whose end somebody awaits
--          over    zset  workflow -> when it may be forgotten, ms
-- ARGV     base, channel, limit
-- RETURNS  how many were forgotten; as many as the limit if more may be due
-- COST     O(steps of those)
-- USES     clock score announce wake flows
local now = clock()
local due = redis.call('ZRANGEBYSCORE', over, '-inf', now, 'LIMIT', 0, tonumber(limit))
if #due == 0 then return 0 end
local moves = moves_of_flows(base, jobs, wait, channel, now)
for _, wid in ipairs(due) do moves.drop(wid) end
return #due
