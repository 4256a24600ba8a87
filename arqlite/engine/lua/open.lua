-- open: begin a session. Its id is new and is never used again once it is dead.
--
-- KEYS     live    zset  session -> lease deadline, ms
-- ARGV     sid, lease_ms
-- RETURNS  {now, ms to the earliest lease deadline}
-- COST     O(log sessions)
-- USES     clock
local now = clock()
redis.call('ZADD', live, now + tonumber(lease_ms), sid)
return {now, tonumber(redis.call('ZRANGE', live, 0, 0, 'WITHSCORES')[2]) - now}
