-- steer: settle something for a queue, and tell its workers.
--
-- KEYS     meta    hash  what was settled for the queue
--          wake    list  the token
-- ARGV     base, control
--          changes*  per change what to do with a field, its name and a value or '': 'set', 'del', 'clear' (all that
--                    begin so), 'more' (one more), 'now' (the clock)
-- RETURNS  {how often something was settled} or, if the limits cannot be kept together, {0, by what each is
--          partitioned}
-- COST     O(changes + lanes)
-- USES     clock wake rules
local now = clock()
local texts, is_limit = redis.call('HMGET', meta, unpack(LIMITS)), false
for i = changes, #ARGV, 3 do
  for place, name in ipairs(LIMITS) do
    if ARGV[i + 1] == name then
      texts[place] = ARGV[i] == 'set' and ARGV[i + 2]
      is_limit = true
    end
  end
end
if is_limit then
  local global_part, rate_part = settle_limits(base, texts)
  if global_part then return {0, global_part, rate_part} end
end
for i = changes, #ARGV, 3 do
  local what, field = ARGV[i], ARGV[i + 1]
  if what == 'set' then
    redis.call('HSET', meta, field, ARGV[i + 2])
  elseif what == 'del' then
    redis.call('HDEL', meta, field)
  elseif what == 'more' then
    redis.call('HINCRBY', meta, field, 1)
  elseif what == 'now' then
    redis.call('HSET', meta, field, string.format('%.0f', now))
  else
    for _, name in ipairs(redis.call('HKEYS', meta)) do
      if string.sub(name, 1, #field) == field then redis.call('HDEL', meta, name) end
    end
  end
end
local version = redis.call('HINCRBY', meta, 'ver', 1)
leave_token(wake)
redis.call('PUBLISH', control, 'look')
return {version}
