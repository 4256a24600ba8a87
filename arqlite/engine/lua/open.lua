-- open: begin a session. Its id is new and is never used again once it is dead.
--
-- KEYS     live    zset  session -> lease deadline, ms
-- ARGV     sid, lease_ms
-- RETURNS  ms to the earliest end of another lease, or -1
-- COST     O(log sessions)
-- USES     clock lease
local now = clock()
redis.call('ZADD', live, now + tonumber(lease_ms), sid)
return next_end_of_others(live, sid, now)
