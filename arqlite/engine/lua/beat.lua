-- beat: keep a lease, and hear what to cancel.
--
-- KEYS     live    zset  session -> lease deadline, ms
--          dead    set   sessions whose jobs are being moved
--          inbox   set   ids that this session shall cancel
-- ARGV     sid, lease_ms
--          heard*  ids of the inbox that the session knows about since its last beat
-- RETURNS  {1 alive or 0 dead, ms to the earliest lease deadline (0: somebody is to be rescued), ids to cancel}
-- COST     O(log sessions)
-- USES     clock
local now = clock()
if not redis.call('ZSCORE', live, sid) then return {0, 0, {}} end
redis.call('ZADD', live, 'XX', now + tonumber(lease_ms), sid)
for i = heard, #ARGV do redis.call('SREM', inbox, ARGV[i]) end
local earliest = tonumber(redis.call('ZRANGE', live, 0, 0, 'WITHSCORES')[2]) - now
if earliest < 0 or redis.call('EXISTS', dead) == 1 then earliest = 0 end
return {1, earliest, redis.call('SMEMBERS', inbox)}
