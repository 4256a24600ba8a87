-- ticks: tell when cron jobs were fired last, and the time.
--
-- KEYS     cron    hash  name and schedule -> its last tick, ms since 1970
-- ARGV     schedules*
-- RETURNS  {the clock, ms since 1970; per schedule its last tick, 0 for none}
-- COST     O(schedules)
-- USES     clock
local answer = {clock()}
for i = schedules, #ARGV do
  answer[#answer + 1] = tonumber(redis.call('HGET', cron, ARGV[i]) or 0)
end
return answer
