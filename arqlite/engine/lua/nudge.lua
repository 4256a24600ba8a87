-- nudge: leave a token, for a worker that took one without a free slot to use it.
--
-- KEYS     ready   zset  id -> priority and time
--          wake    list  the token
-- ARGV     -
-- RETURNS  1
-- COST     O(1)
-- USES     wake
if redis.call('ZCARD', ready) > 0 then leave_token(wake) end
return 1
