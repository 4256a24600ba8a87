-- prune: forget finished jobs whose time is over; of those that are to be remembered for longer, only the jobs.
--
-- KEYS     jobs    hash  id -> record
--          ttls    set   result lifetimes in use, each with a list of ended batches, oldest first; see settle
-- ARGV     base, limit
-- RETURNS  {jobs forgotten, 1 if more are due}
-- COST     O(jobs forgotten + lifetimes)
-- USES     clock settle
local now = clock()
local forgotten, more = 0, 0
local budget = tonumber(limit)
for _, class in ipairs(redis.call('SMEMBERS', ttls)) do
  local done = base .. 'done:' .. class
  local rest = string.match(class, '%+(%d+)$')
  while true do
    local batch = redis.call('LINDEX', done, 0)
    if not batch then
      redis.call('SREM', ttls, class)
      break
    end
    if tonumber(string.sub(batch, 1, 13)) > now then break end
    if budget == 0 then
      more = 1
      break
    end
    redis.call('LPOP', done)
    local ids, from = {}, 15
    while from and budget > 0 do
      local to = string.find(batch, '\0', from, true)
      ids[#ids + 1] = string.sub(batch, from, to and to - 1)
      from = to and to + 1
      budget = budget - 1
    end
    if from then redis.call('LPUSH', done, string.sub(batch, 1, 14) .. string.sub(batch, from)) end
    -- The id may have been used again since: only what has expired itself goes.
    local records = redis.call('HMGET', jobs, unpack(ids))
    local gone, left, stripped = {}, {}, {}
    for i, record in ipairs(records) do
      if record and is_forgotten(record, now) then
        if rest then
          left[#left + 1] = ids[i]
          stripped[#stripped + 1] = ids[i]
          stripped[#stripped + 1] = string.sub(record, 1, 14) .. without_job(string.sub(record, 15))
        else
          gone[#gone + 1] = ids[i]
        end
      end
    end
    if #gone > 0 then forgotten = forgotten + redis.call('HDEL', jobs, unpack(gone)) end
    if #left > 0 then
      redis.call('HSET', jobs, unpack(stripped))
      local moment = string.format('%013d', now + tonumber(rest))
      redis.call('RPUSH', base .. 'done:' .. rest, moment .. '\0' .. table.concat(left, '\0'))
      redis.call('SADD', ttls, rest)
    end
  end
end
return {forgotten, more}
