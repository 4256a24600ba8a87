-- enqueue: store new jobs and place each one, ready now or scheduled.
--
-- KEYS     jobs    hash  id -> record
--          ready   zset  id -> priority and time
--          sched   zset  id -> due time and priority
--          wake    list  the token
-- ARGV     jobs_in*      per job: id, when ('' now, '+5' or '-5' ms from now, '=ms' absolute), record
-- RETURNS  the positions (from 1) of the jobs refused because their id is in use
-- COST     O(n log N)
-- USES     clock score settle wake
local now = clock()
local ids = {}
for i = jobs_in, #ARGV, 3 do ids[#ids + 1] = ARGV[i] end
local known = redis.call('HMGET', jobs, unpack(ids))

local refused, taken = {}, {}
local records, starts, dues = {}, {}, {}
local earliest
for i, id in ipairs(ids) do
  local when, record = ARGV[jobs_in + 3 * i - 2], ARGV[jobs_in + 3 * i - 1]
  local old = taken[id] or known[i]
  if old and not is_forgotten(old, now) then
    -- The same bytes again are a resend whose first reply was lost: it was accepted then.
    local body = string.sub(record, 3)
    if old ~= record and string.sub(old, -#body) ~= body then refused[#refused + 1] = i end
  else
    taken[id] = record
    records[#records + 1] = id
    records[#records + 1] = record
    local sign = string.sub(when, 1, 1)
    local at = sign == '' and now or sign == '=' and tonumber(string.sub(when, 2)) or now + tonumber(when)
    if at > now then
      local score = sched_score(priority_of(record), at)
      if not earliest or score < earliest then earliest = score end
      dues[#dues + 1] = score
      dues[#dues + 1] = id
    else
      starts[#starts + 1] = ready_score(priority_of(record), at)
      starts[#starts + 1] = id
    end
  end
end

if #records > 0 then redis.call('HSET', jobs, unpack(records)) end
if #starts > 0 then redis.call('ZADD', ready, unpack(starts)) end
local head_moved = false
if #dues > 0 then
  local head = redis.call('ZRANGE', sched, 0, 0, 'WITHSCORES')[2]
  head_moved = not head or earliest < tonumber(head)
  redis.call('ZADD', sched, unpack(dues))
end
if #starts > 0 or head_moved then leave_token(wake) end
return refused
