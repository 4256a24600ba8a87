-- restore: put jobs back that the ledger has and that are not here, each as it was.
--
-- What is here already stays: an end that is only remembered counts, too, unless it is that of an earlier job of this id.
--
-- KEYS     jobs    hash  id -> record
--          ready   zset  id -> priority and time
--          sched   zset  id -> due time and priority
--          tries   hash  id -> tries and crashes
--          wake    list  the token
-- ARGV     base
--          work*   per job: id, when (as in enqueue), record, memory or '', digest or '' if it is not unique, period, states
--                  and since (as in enqueue), and '1' if it was in the queue before: an equal job does not keep it out
-- RETURNS  per job that is not here now its position (from 1) if another job has its id, or {position, id, state} of the
--          equal job, or of itself if it is over
-- COST     O(n log N); per conflict O(sessions)
-- USES     clock score settle wake holds lanes homes locks conflict
local FIELDS = 9
local now, ids, fresh, refused = clock(), {}, {}, {}
for i = work, #ARGV, FIELDS do ids[#ids + 1] = ARGV[i] end
if #ids == 0 then return refused end
local known, locks = redis.call('HMGET', jobs, unpack(ids)), moves_of_locks(base)
local is_awake = true

local function place(id, record, at)
  local priority = priority_of(record)
  if at <= now then
    redis.call('ZADD', ready, ready_score(priority, at), id)
    is_awake = false
    return
  end
  local score = sched_score(priority, at)
  local head = redis.call('ZRANGE', sched, 0, 0, 'WITHSCORES')[2]
  redis.call('ZADD', sched, score, id)
  if not head or score < tonumber(head) then is_awake = false end
end

for i, id in ipairs(ids) do
  local from = work + FIELDS * (i - 1)
  local when, record, memory, digest = ARGV[from + 1], ARGV[from + 2], ARGV[from + 3], ARGV[from + 4]
  local since, old = enqueued_of(record), fresh[id] or known[i]
  local is_another = old and since and enqueued_of(old) and since ~= enqueued_of(old)
  local has_ended = old and string.sub(old, 1, 1) == 'R'
  if old and has_ended and not is_another then
    refused[#refused + 1] = {i, id, string.sub(old, 15, 15)}
  elseif old and (is_another or not since and old ~= record) and not is_forgotten(old, now) then
    refused[#refused + 1] = i
  elseif not old or has_ended then
    local sign = string.sub(when, 1, 1)
    local at = sign == '' and now or sign == '=' and tonumber(string.sub(when, 2)) or now + tonumber(when)
    local equal, state
    if digest ~= '' then
      local period, by_due, inserted = tonumber(ARGV[from + 5]), ARGV[from + 7] == 's', tonumber(since or now)
      equal, state = conflict_of(base, jobs, locks, digest, now, period, ARGV[from + 6], by_due, {})
      if not equal then locks.take(digest, id, inserted, at, period, by_due) end
    end
    if equal and ARGV[from + 8] ~= '1' then
      refused[#refused + 1] = {i, equal, state}
    else
      fresh[id] = record
      redis.call('HSET', jobs, id, record)
      if memory == '' then redis.call('HDEL', tries, id) else redis.call('HSET', tries, id, memory) end
      place(id, record, at)
    end
  end
end
if not is_awake then leave_token(wake) end
return refused
