-- plant: store jobs that come from elsewhere with their past, once per token.
--
-- KEYS     jobs      hash  id -> record
--          ready     zset  id -> priority and time
--          sched     zset  id -> due time and priority
--          tries     hash  id -> tries and crashes
--          wake      list  the token
--          ttls      set   result lifetimes in use
--          imported  zset  token -> until when it is remembered, ms
-- ARGV     base, token, token_ms
--          work*   per job: id, when (as in enqueue; of a job that is over the moment at which the
--                  pruner may look at it, ms since 1970), memory, record
-- RETURNS  {0} the token was used before, else the positions (from 1) of the jobs refused because
--          their id is in use
-- COST     O(n log N)
-- USES     clock score settle wake
local now = clock()
if token ~= '' then
  redis.call('ZREMRANGEBYSCORE', imported, '-inf', now)
  if redis.call('ZADD', imported, 'NX', now + tonumber(token_ms), token) == 0 then return {0} end
end

local ids, refused, taken, batches, woken = {}, {}, {}, {}, false
for i = work, #ARGV, 4 do ids[#ids + 1] = ARGV[i] end
local known = #ids > 0 and redis.call('HMGET', jobs, unpack(ids)) or {}
for i, id in ipairs(ids) do
  local from = work + 4 * (i - 1)
  local when, memory, record = ARGV[from + 1], ARGV[from + 2], ARGV[from + 3]
  if taken[id] or known[i] and not is_forgotten(known[i], now) then
    refused[#refused + 1] = i
  else
    taken[id] = true
    redis.call('HSET', jobs, id, record)
    -- The last job of this id, whose end had not been pruned yet, may have left its own.
    if memory ~= '' then redis.call('HSET', tries, id, memory) else redis.call('HDEL', tries, id) end
    if string.sub(record, 1, 1) == 'R' then
      if string.sub(record, 2, 14) ~= FOREVER then
        local batch = batches[when] or {}
        batch[#batch + 1] = id
        batches[when] = batch
      end
    else
      local sign = string.sub(when, 1, 1)
      local at = sign == '' and now or sign == '=' and tonumber(string.sub(when, 2)) or now + tonumber(when)
      if at > now then
        local score = sched_score(priority_of(record), at)
        local head = redis.call('ZRANGE', sched, 0, 0, 'WITHSCORES')[2]
        woken = woken or not head or score < tonumber(head)
        redis.call('ZADD', sched, score, id)
      else
        redis.call('ZADD', ready, ready_score(priority_of(record), at), id)
        woken = true
      end
    end
  end
end

for moment, batch in pairs(batches) do
  local class = 'u' .. moment
  redis.call('RPUSH', base .. 'done:' .. class, moment .. '\0' .. table.concat(batch, '\0'))
  redis.call('SADD', ttls, class)
end
if woken then leave_token(wake) end
return refused
