-- nudge: leave the tokens again, for a worker that took one without a free slot to use it.
--
-- KEYS     ready   zset  id -> priority and time
--          lanes   zset  open lane -> score of its first job
--          wake    list  the token
--          holds   hash  name of a hold -> the session that vouches for it
-- ARGV     base
-- RETURNS  1
-- COST     O(holds)
-- USES     wake holds
if redis.call('ZCARD', ready) + redis.call('ZCARD', lanes) > 0 then leave_token(wake) end
for _, token in ipairs(moves_of_holds(base, holds).tokens()) do leave_token(token) end
return 1
