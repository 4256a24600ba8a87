-- leader: tell which living session leads.
--
-- KEYS     leader  string  session that leads; it does so while it lives
--          live    zset    session -> lease deadline, ms; 0 when it ended and jobs remain to be moved
-- ARGV     (nothing)
-- RETURNS  the session, or '' when nobody leads
-- COST     O(log sessions)
-- USES     clock
local leads = redis.call('GET', leader)
local deadline = leads and redis.call('ZSCORE', live, leads)
return deadline and tonumber(deadline) > clock() and leads or ''
