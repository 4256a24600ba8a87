-- crons: tell which cron jobs the workers of a queue have, and how each stands.
--
-- KEYS     crons    hash  name and schedule -> when it was told, 13 digits of ms, then what it is
--          cron     hash  name and schedule -> its last tick, ms since 1970
--          cronctl  hash  name of a cron job -> its pauses
-- ARGV     (nothing)
-- RETURNS  {the clock, ms since 1970; names of the paused ones; per cron job: what it is, its last tick or 0}
-- COST     O(cron jobs)
-- USES     clock pauses
local paused = {}
local switched = redis.call('HGETALL', cronctl)
for i = 1, #switched, 2 do
  if is_on(pauses_in(switched[i + 1])) then paused[#paused + 1] = switched[i] end
end
local answer = {clock(), paused}
local known = redis.call('HGETALL', crons)
for i = 1, #known, 2 do
  answer[#answer + 1] = string.sub(known[i + 1], 14)
  answer[#answer + 1] = tonumber(redis.call('HGET', cron, known[i]) or 0)
end
return answer
