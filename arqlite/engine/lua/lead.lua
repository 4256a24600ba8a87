-- lead: elect the leader among the living sessions of a queue, or let it resign.
--
-- KEYS     leader  string  session that leads; it does so while it lives
--          live    zset    session -> lease deadline, ms; 0 when it ended and jobs remain to be moved
-- ARGV     sid, runs, channel
--          runs is '1' to lead if nobody does, '0' to resign; who listens to the channel hears of that
-- RETURNS  1 this session leads now, 0 it does not
-- COST     O(log sessions)
-- USES     lease
local leads = redis.call('GET', leader)
if runs == '0' then
  if leads == sid then
    redis.call('DEL', leader)
    redis.call('PUBLISH', channel, sid)
  end
  return 0
end
if not is_alive(live, sid) then return 0 end
if leads == sid then return 1 end
if leads and is_alive(live, leads) then return 0 end
redis.call('SET', leader, sid)
return 1
