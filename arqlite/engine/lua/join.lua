-- join: tell of a session that has opened, and settle what the settings of its worker declare.
--
-- KEYS     live    zset  session -> lease deadline, ms
--          sessions  hash  session -> what it tells of itself
--          meta    hash  what was settled for the queue
--          wake    list  the token
-- ARGV     base, control, sid, node
--          since   as in turn
--          about   what it tells of itself
--          declares  '1' if its settings have their say, else '0'
--          overall, rate  the limits that they declare; '' is none
-- RETURNS  {1, the clock, what the queue has settled as turn tells it or {}, its declared limits before or ''}
--          or, if the limits cannot be kept together, {0, by what each is partitioned}
-- COST     O(lanes) where limits change
-- USES     clock lease wake rules
local now = clock()
local before = redis.call('HMGET', meta, unpack(LIMITS))
if declares == '1' and (overall ~= (before[1] or '') or rate ~= (before[3] or '')) then
  local texts = {overall ~= '' and overall, before[2], rate ~= '' and rate, before[4]}
  local global_part, rate_part = settle_limits(base, texts)
  if global_part then return {0, global_part, rate_part} end
  redis.call('HINCRBY', meta, 'ver', 1)
  redis.call('PUBLISH', control, 'look')
  leave_token(wake)
end
-- Whoever waits for the next resume must be told apart from those of a queue for which nothing was settled.
if since ~= '' then redis.call('HSETNX', meta, 'resumes', 0) end
if is_alive(live, sid) then redis.call('HSET', sessions, sid, about) end
local rules = rules_of(base, node, since)
return {1, now, rules and told_of(rules, 0) or {}, before[1] or '', before[3] or ''}
