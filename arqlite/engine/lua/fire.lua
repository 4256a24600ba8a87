-- fire: enqueue a cron job for one tick, once, however many workers ask.
--
-- KEYS     cron    hash  name -> its last tick, ms since 1970
--          jobs    hash  id -> record
--          ready   zset  id -> priority and time
--          wake    list  the token
-- ARGV     name, tick, id, record
-- RETURNS  1 enqueued, 0 fired before or the id is in use
-- COST     O(log N)
-- USES     clock score settle wake
local now = clock()
if tonumber(redis.call('HGET', cron, name) or 0) >= tonumber(tick) then return 0 end
redis.call('HSET', cron, name, tick)
local old = redis.call('HGET', jobs, id)
if old and not is_forgotten(old, now) then return 0 end
redis.call('HSET', jobs, id, record)
redis.call('ZADD', ready, ready_score(priority_of(record), now), id)
leave_token(wake)
return 1
