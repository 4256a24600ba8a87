-- noted: tell what a job noted of itself, whether it has ended or not.
--
-- KEYS     note    hash  born: when its job was enqueued, progress, lost: how many lines are not kept
--          log     list  its newest lines, oldest first
-- ARGV     last    how many of the newest lines to have
-- RETURNS  {} or {born, progress or '', lines not kept, lines}
-- COST     O(last)
local facts = redis.call('HMGET', note, 'born', 'progress', 'lost')
if not facts[1] then return {} end
last = tonumber(last)
local lines = last > 0 and redis.call('LRANGE', log, -last, -1) or {}
return {facts[1], facts[2] or '', tonumber(facts[3] or 0), lines}
