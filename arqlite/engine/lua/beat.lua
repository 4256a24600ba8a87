-- beat: keep a lease, and hear what to cancel.
--
-- KEYS     live    zset  session -> lease deadline, ms; 0 when it ended and jobs remain to be moved
--          inbox   set   ids that this session shall cancel
--          meta    hash  what was settled for the queue
--          vitals  hash  session -> how its process was at its last beat
-- ARGV     sid, lease_ms
--          told    how its process is; '' tells nothing
--          heard*  ids of the inbox that need not be told again: this session has no such job
-- RETURNS  {1 alive or 0 dead, ms to the earliest end of another lease or -1, ids to cancel, how often
--          something was settled for the queue}
-- COST     O(log sessions)
-- USES     clock lease
local now = clock()
if not is_alive(live, sid) then return {0, 0, {}, 0} end
redis.call('ZADD', live, 'XX', now + tonumber(lease_ms), sid)
if told ~= '' then redis.call('HSET', vitals, sid, told) end
for i = heard, #ARGV do redis.call('SREM', inbox, ARGV[i]) end
return {1, next_end_of_others(live, sid, now), redis.call('SMEMBERS', inbox),
  tonumber(redis.call('HGET', meta, 'ver') or 0)}
