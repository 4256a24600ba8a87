-- turn: end what a session finished, put back what it gives back, and claim its next jobs.
--
-- KEYS     live    zset  session -> lease deadline, ms
--          jobs    hash  id -> record
--          ready   zset  id -> priority and time
--          sched   zset  id -> due time and priority
--          tries   hash  id -> tries and crashes of troubled jobs
--          wake    list  the token
--          wait    set   ids whose end somebody awaits
--          ttls    set   result lifetimes in use
--          holds   hash  name of a hold -> the session that vouches for it
--          run     set   ids that this session owns
-- ARGV     base, channel, sid, want
--          work*   number of rooms, or -1 from those who have none and need no moments, then per room:
--                  name of the hold, how many jobs it may give, its pool or '', how many its pool may give;
--                  then number of failed attempts, then per attempt: id, ms its job's errors are kept (0 not,
--                  -1 for ever or until the job ends), what to keep of it;
--                  then number of lifetimes, then per lifetime: ttl_ms, n, n ids, n bodies;
--                  then per job put back: id, place ('r' ready, 's' scheduled, or 'h' and the name of a
--                  hold), ms (since 1970 for 'r' and 'h', from now for 's'), tries ('' leaves it as it is)
-- RETURNS  {0} when the session is dead, else {1, now, ms to the next due job or -1, jobs owned now,
--          1 if ready work remains, ids, records, tries, ids whose end or return was refused, and after a NUL those
--          of jobs that ended with other jobs and of which nobody has told}; and, if
--          rooms were given or any of it is there: when each claimed job was ready, the names of all
--          holds, ids put back although their cancellation was asked for (until `cancel` is done for them),
--          {id, its newest errors} per claimed job that was tried before
-- COST     O((ended + claimed) log N)
-- USES     clock lease score settle announce wake locks flows finish holds
local NEWEST_ERRORS = 20 -- travel with a job: each may take some 10 kB
local now = clock()
if not is_alive(live, sid) then return {0} end

local count = tonumber(ARGV[work])
local gives_rooms = count >= 0
local held = gives_rooms and moves_of_holds(base, holds)
local rooms, knows, left = {}, {}, {}
local cursor = work + 1
for i = 1, count do
  local name, pool = ARGV[cursor], ARGV[cursor + 2]
  rooms[i] = {name = name, most = tonumber(ARGV[cursor + 1]), pool = pool ~= '' and pool}
  knows[name] = true
  left[pool] = tonumber(ARGV[cursor + 3])
  cursor = cursor + 4
end

for _ = 1, tonumber(ARGV[cursor]) do
  local id = ARGV[cursor + 1]
  -- The fence of the ends below, ahead of them: they take the ids out of `run`.
  if redis.call('SISMEMBER', run, id) == 1 then
    add_error(base .. 'err:' .. id, tonumber(ARGV[cursor + 2]), ARGV[cursor + 3])
  end
  cursor = cursor + 3
end
cursor = cursor + 1

local lost = {}
local lifetimes = tonumber(ARGV[cursor])
cursor = cursor + 1
local inbox = base .. 'cancel:' .. sid
local is_asked = cursor <= #ARGV and redis.call('EXISTS', inbox) == 1
for _ = 1, lifetimes do
  local ttl, n = tonumber(ARGV[cursor]), tonumber(ARGV[cursor + 1])
  local ids, bodies = {}, {}
  for i = 1, n do ids[i] = ARGV[cursor + 1 + i] end
  -- Whoever asked to cancel these meant no later job of such an id.
  if is_asked then redis.call('SREM', inbox, unpack(ids)) end
  -- The fence: what this session no longer owns was rescued, and its end belongs to a newer run.
  local owned = redis.call('SMISMEMBER', run, unpack(ids))
  local kept = {}
  for i = 1, n do
    if owned[i] == 1 then
      kept[#kept + 1] = ids[i]
      bodies[#kept] = ARGV[cursor + 1 + n + i]
    else
      lost[#lost + 1] = ids[i]
    end
  end
  if #kept > 0 then
    redis.call('SREM', run, unpack(kept))
    finish(base, jobs, ttls, tries, wait, channel, ttl, now, kept, bodies)
  end
  cursor = cursor + 2 + 2 * n
end

local recalled = {}
for i = cursor, #ARGV, 4 do
  local id, place, ms, memory = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]), ARGV[i + 3]
  local record = redis.call('HGET', jobs, id)
  if redis.call('SREM', run, id) == 0 then
    lost[#lost + 1] = id
  elseif record then
    local priority = priority_of(record)
    local is_new = true
    if place == 's' then
      redis.call('ZADD', sched, sched_score(priority, now + ms), id)
    elseif place == 'r' then
      redis.call('ZADD', ready, ready_score(priority, ms), id)
    else
      held = held or moves_of_holds(base, holds)
      is_new = held.put(string.sub(place, 2), sid, ready_score(priority, ms), id)
    end
    if memory ~= '' then redis.call('HSET', tries, id, memory) end
    -- Others may have a free slot for it; this session may not come back for it. Of a hold that is there
    -- already they know, or wait for its own token.
    if is_new then leave_token(wake) end
  end
  -- Also of what went back before: the reply that told so may be lost. `cancel` takes it out of the inbox.
  if is_asked and redis.call('SISMEMBER', inbox, id) == 1 then recalled[#recalled + 1] = id end
end

want = tonumber(want)
local next_due = -1
local head = redis.call('ZRANGE', sched, 0, 0, 'WITHSCORES')[2]
if head then
  if due_of(tonumber(head)) <= now then
    local due = redis.call('ZRANGEBYSCORE', sched, '-inf', sched_score(0, now + 1) - 1, 'WITHSCORES', 'LIMIT', 0, 1000)
    local starts = {}
    for i = 1, #due, 2 do
      local score = tonumber(due[i + 1])
      starts[i] = ready_score(score % DUE_STEP, due_of(score))
      starts[i + 1] = due[i]
    end
    redis.call('ZREMRANGEBYRANK', sched, 0, #due / 2 - 1)
    redis.call('ZADD', ready, unpack(starts))
    if want == 0 then leave_token(wake) end
    head = redis.call('ZRANGE', sched, 0, 0, 'WITHSCORES')[2]
  end
  if head then next_due = math.max(due_of(tonumber(head)) - now, 0) end
end

local has_holds = redis.call('EXISTS', holds) == 1
if has_holds then
  held = held or moves_of_holds(base, holds)
  if held.vouch(live, ready, sid, knows, now) and want == 0 then leave_token(wake) end
end

local ids, records, memories, errors, more = {}, {}, {}, {}, 0
local scores = ids
if want > 0 then
  if gives_rooms then
    ids, scores = held.claim(ready, want, rooms, left)
  else
    ids = redis.call('ZRANGE', ready, 0, want - 1)
    if #ids > 0 then redis.call('ZREMRANGEBYRANK', ready, 0, #ids - 1) end
  end
  if #ids > 0 then
    redis.call('SADD', run, unpack(ids))
    records = redis.call('HMGET', jobs, unpack(ids))
    if redis.call('EXISTS', tries) == 1 then
      memories = redis.call('HMGET', tries, unpack(ids))
      for i, memory in ipairs(memories) do
        if memory and string.sub(memory, 1, 2) ~= '0:' then
          local known = redis.call('LRANGE', base .. 'err:' .. ids[i], -NEWEST_ERRORS, -1)
          if #known > 0 then errors[#errors + 1] = {ids[i], known} end
        end
      end
    end
    if #ids == want and redis.call('ZCARD', ready) > 0 then
      more = 1
      leave_token(wake)
    end
  end
end
local swept = redis.call('LPOP', base .. 'swept', 1000)
for _, id in ipairs(swept or {}) do lost[#lost + 1] = '\0' .. id end
local reply = {1, now, next_due, redis.call('SCARD', run), more, ids, records, memories, lost}
if gives_rooms or has_holds or #recalled > 0 or #errors > 0 then
  reply[10], reply[11], reply[12], reply[13] = {}, {}, recalled, errors
  if gives_rooms then
    for i, score in ipairs(scores) do reply[10][i] = score % PRIORITY_STEP + EPOCH end
  end
  if has_holds then
    reply[11] = held.names()
    for _, token in ipairs(held.tokens()) do leave_token(token) end
  end
end
return reply
