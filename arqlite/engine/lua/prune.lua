-- prune: forget finished jobs whose time is over.
--
-- KEYS     jobs    hash  id -> record
--          ttls    set   result lifetimes in use, each with a list of ended batches, oldest first
-- ARGV     base, limit
-- RETURNS  {jobs forgotten, 1 if more are due}
-- COST     O(jobs forgotten + lifetimes)
-- USES     clock settle
local now = clock()
local forgotten, more = 0, 0
local budget = tonumber(limit)
for _, class in ipairs(redis.call('SMEMBERS', ttls)) do
  local done = base .. 'done:' .. class
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
    local gone = {}
    for i, record in ipairs(records) do
      if record and is_forgotten(record, now) then gone[#gone + 1] = ids[i] end
    end
    if #gone > 0 then forgotten = forgotten + redis.call('HDEL', jobs, unpack(gone)) end
  end
end
return {forgotten, more}
