-- leave: end a session of one's own will; what it still owns is for the next rescue, at once.
--
-- KEYS     live    zset  session -> lease deadline, ms
--          dead    set   sessions whose jobs are not all moved yet
--          run     set   ids that this session owns
--          inbox   set   ids that this session was asked to cancel
-- ARGV     sid
-- RETURNS  {jobs left behind, sessions that live on}
-- COST     O(log sessions)
local left = redis.call('SCARD', run)
if redis.call('ZREM', live, sid) == 1 and left > 0 then redis.call('SADD', dead, sid) end
redis.call('DEL', inbox)
return {left, redis.call('ZCARD', live)}
