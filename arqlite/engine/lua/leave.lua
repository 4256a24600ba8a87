-- leave: end a session of one's own will; what it still owns is for the next rescue, at once, and so is
-- what it was asked to cancel of that.
--
-- KEYS     live    zset  session -> lease deadline, ms; 0 when it ended and jobs remain to be moved
--          run     set   ids that this session owns
--          inbox   set   ids that this session was asked to cancel
--          sessions  hash  session -> what it tells of itself
--          vitals  hash  session -> how its process was at its last beat
-- ARGV     base, sid
--          told    as in turn
-- RETURNS  sessions that live on
-- COST     O(log sessions)
-- USES     swept
if redis.call('EXISTS', run) == 1 then
  redis.call('ZADD', live, 'XX', 0, sid)
else
  redis.call('ZREM', live, sid)
  redis.call('HDEL', sessions, sid)
  redis.call('HDEL', vitals, sid)
  redis.call('DEL', inbox)
end
told_of_swept(base, sid, told)
leave_swept(base, sid)
return redis.call('ZCOUNT', live, 1, '+inf')
