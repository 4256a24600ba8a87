-- rescue: end the sessions whose lease is over, and put their jobs back in front of their priority.
--
-- KEYS     live    zset  session -> lease deadline, ms
--          dead    set   sessions whose jobs are not all moved yet
--          jobs    hash  id -> record
--          ready   zset  id -> priority and time
--          tries   hash  id -> tries, crashes, ...
--          wake    list  the token
-- ARGV     base, limit
-- RETURNS  {ms to the earliest lease deadline or -1, 1 if jobs remain to be moved, session, moved, ...}
-- COST     O(moved log N)
-- USES     clock score wake
local now = clock()
for _, sid in ipairs(redis.call('ZRANGEBYSCORE', live, '-inf', now, 'LIMIT', 0, 100)) do
  redis.call('ZREM', live, sid)
  redis.call('SADD', dead, sid)
end

local budget = tonumber(limit)
local moved, more = {}, 0
for _, sid in ipairs(redis.call('SMEMBERS', dead)) do
  local run = base .. 'run:' .. sid
  local ids = budget > 0 and redis.call('SPOP', run, budget) or {}
  if #ids > 0 then
    local records = redis.call('HMGET', jobs, unpack(ids))
    local memories = redis.call('HMGET', tries, unpack(ids))
    for i, id in ipairs(ids) do
      if records[i] then
        local tried, crashed, rest = string.match(memories[i] or '0:0:', '^(%d+):(%d+):(.*)$')
        redis.call('HSET', tries, id, tried .. ':' .. string.format('%d', crashed + 1) .. ':' .. rest)
        redis.call('ZADD', ready, ready_score(priority_of(records[i]), 0), id)
      end
    end
    budget = budget - #ids
    moved[#moved + 1] = sid
    moved[#moved + 1] = #ids
    leave_token(wake)
  end
  if redis.call('EXISTS', run) == 1 then
    more = 1
  else
    redis.call('SREM', dead, sid)
    redis.call('DEL', base .. 'cancel:' .. sid)
  end
end
local head = redis.call('ZRANGE', live, 0, 0, 'WITHSCORES')[2]
return {head and math.max(tonumber(head) - now, 0) or -1, more, unpack(moved)}
