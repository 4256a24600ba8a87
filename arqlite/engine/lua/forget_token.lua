-- forget_token: remember a token of plant for a while only; whoever might use it again does so soon.
--
-- KEYS     imported  zset  token -> until when it is remembered, ms
-- ARGV     token, late_ms
-- RETURNS  nothing
-- COST     O(log tokens)
-- USES     clock
redis.call('ZADD', imported, 'XX', clock() + tonumber(late_ms), token)
