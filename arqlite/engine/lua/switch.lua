-- switch: pause a cron job over all workers, or let it go on.
--
-- When it was paused is kept, lest a worker that looks later make up for it.
--
-- KEYS     cronctl  hash  name of a cron job -> its pauses
-- ARGV     name, pauses
-- RETURNS  1 done, 0 it was so already
-- COST     O(1)
-- USES     clock pauses
local known = pauses_in(redis.call('HGET', cronctl, name))
if is_on(known) == (pauses ~= '0') then return 0 end
known[#known + 1] = clock()
redis.call('HSET', cronctl, name, written(known))
return 1
