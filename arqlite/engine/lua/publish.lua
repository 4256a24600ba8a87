-- publish: tell which cron jobs a worker has, for those who look at them; others that nobody told of go.
--
-- KEYS     crons  hash  name and schedule -> when it was told, 13 digits of ms, then what it is
-- ARGV     keep_ms
--          work*  per cron job: name and schedule, what it is
-- RETURNS  how many were forgotten
-- COST     O(cron jobs)
-- USES     clock
local now = clock()
for i = work, #ARGV, 2 do
  redis.call('HSET', crons, ARGV[i], string.format('%013d', now) .. ARGV[i + 1])
end
local forgotten = 0
local known = redis.call('HGETALL', crons)
for i = 1, #known, 2 do
  if tonumber(string.sub(known[i + 1], 1, 13)) + tonumber(keep_ms) < now then
    forgotten = forgotten + redis.call('HDEL', crons, known[i])
  end
end
return forgotten
