-- bequeath: let a session end soon. Its process is about to be gone, and its jobs are not to blame for that.
--
-- KEYS     live    zset    session -> lease deadline, ms; 0 when it ended and jobs remain to be moved
--          will    string  there while the jobs of this session may be rescued without a crash
-- ARGV     sid, soon_ms, kept_ms
-- RETURNS  1 done, 0 the session is dead
-- COST     O(log sessions)
-- USES     clock lease
if not is_alive(live, sid) then return 0 end
redis.call('SET', will, '1', 'PX', kept_ms)
redis.call('ZADD', live, 'XX', clock() + tonumber(soon_ms), sid)
return 1
