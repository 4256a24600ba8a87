-- switch: pause a cron job over all workers, or let it go on.
--
-- KEYS     cronctl  hash  name of a paused cron job -> since when, ms since 1970
-- ARGV     name, pauses
-- RETURNS  1 done, 0 it was so already
-- COST     O(1)
-- USES     clock
if pauses == '0' then return redis.call('HDEL', cronctl, name) end
return redis.call('HSETNX', cronctl, name, string.format('%.0f', clock()))
