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
-- ARGV     base, channel, sid
--          node    where the session runs, as operators call it
--          since   how often the queue had been resumed when the session began paused; '' if it did not
--          control  where those listen who wait for a paused queue to be idle
--          remember  ms for which an end is remembered even if nothing of it is kept; 0 without a ledger
--          started  ids of jobs that have started, with NUL between
--          told    ids of `swept` jobs of which this session has told, with NUL between; NUL alone if it tells of none
--          want
--          work*   number of rooms, or -1 from those who have none and need no moments, then per room:
--                  name of the hold, how many jobs it may give, its pool or '', how many its pool may give;
--                  then number of failed attempts, then per attempt: id, ms its job's errors are kept (0 not,
--                  -1 for ever or until the job ends), what to keep of it;
--                  then number of lifetimes, then per lifetime: ttl_ms, n, n ids, n bodies;
--                  then per job put back: id, place ('r' ready, 's' scheduled, 'l' and its lane if it was to be
--                  sorted, or 'h' and the name of a hold), ms (since 1970 for 'r' and 'h', from now for
--                  's'), tries ('' leaves it as it is)
-- RETURNS  {0} when the session is dead, else {1, now, ms to the next due job or -1, jobs owned now,
--          1 if ready work remains, ids, records, tries, ids whose end or return was refused, and after a NUL those
--          of jobs that ended with other jobs and of which this session is to tell}; and, if
--          rooms were given or any of it is there: when each claimed job was ready, the names of all
--          holds, ids put back although their cancellation was asked for (until `cancel` is done for them),
--          {id, its newest errors} per claimed job that was tried before; and, if anything is settled for the
--          queue: version, 1 if it is paused for this session, jobs at once or -1, when its workers were to stop
--          (ms since 1970), 1 if it has a limit, 1 if it has a rate, how often it was resumed, how many claimed
--          jobs, the last ones, are only to be sorted, generation and fields of its lanes
-- COST     O((ended + claimed) log N)
-- USES     clock lease score settle announce wake locks flows finish swept holds rules grants lanes limits
local NEWEST_ERRORS = 20 -- travel with a job: each may take some 10 kB
local now = clock()
if not is_alive(live, sid) then return {0} end

local rules = rules_of(base, node, since)
local limits = rules and limits_of(base, rules, now)
if limits and started ~= '' then limits.started(run, started) end

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
    if limits then
      limits.left(kept)
      limits.over(kept)
    end
    finish(base, jobs, ttls, tries, wait, channel, ttl, tonumber(remember), now, kept, bodies)
  end
  cursor = cursor + 2 + 2 * n
end

local recalled = {}
for i = cursor, #ARGV, 4 do
  local id, place, ms, memory = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]), ARGV[i + 3]
  local record = redis.call('HGET', jobs, id)
  local unsorted = limits and limits.unsorted({id})[1]
  local was_owned = redis.call('SREM', run, id) == 1
  if was_owned and limits then limits.left({id}) end
  if not was_owned then
    lost[#lost + 1] = id
  elseif record then
    local priority = priority_of(record)
    local is_new = true
    if unsorted and string.sub(place, 1, 1) == 'l' then
      limits.sorted(ready, string.sub(place, 2), tonumber(unsorted), id)
      is_new = false
    elseif place == 's' then
      redis.call('ZADD', sched, sched_score(priority, now + ms), id)
    elseif string.sub(place, 1, 1) == 'h' then
      held = held or moves_of_holds(base, holds)
      is_new = held.put(string.sub(place, 2), sid, ready_score(priority, ms), id)
    else
      redis.call('ZADD', ready, unsorted and tonumber(unsorted) or ready_score(priority, ms), id)
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

-- What `ready` and the holds give, at most so many.
local function take(most)
  if gives_rooms then return held.claim(ready, most, rooms, left) end
  local first = redis.call('ZRANGE', ready, 0, most - 1)
  if #first > 0 then redis.call('ZREMRANGEBYRANK', ready, 0, #first - 1) end
  return first, first
end

local function take_held(most)
  if not gives_rooms then return {}, {} end
  return held.claim(nil, most, rooms, left)
end

local ids, records, memories, errors, more, unsorted = {}, {}, {}, {}, 0, 0
local scores, is_open, is_more = ids, true, false
if limits and not rules.is_paused then
  local wait
  ids, scores, unsorted, is_more, wait, is_open = limits.claim(live, ready, want, take, take_held)
  if wait >= 0 and (next_due < 0 or wait < next_due) then next_due = wait end
elseif limits then
  -- Others may go on although this session may not, and it may have popped the token.
  limits.look_again()
  if redis.call('ZCARD', ready) + redis.call('ZCARD', base .. 'lanes') > 0 then leave_token(wake) end
elseif want > 0 then
  ids, scores = take(want)
  is_more = #ids == want and redis.call('ZCARD', ready) > 0
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
end
if is_more then
  more = 1
  leave_token(wake)
end
local owned_now = redis.call('SCARD', run)
if rules and rules.is_paused and owned_now == 0 and (lifetimes > 0 or cursor <= #ARGV) then
  redis.call('PUBLISH', control, 'idle')
end
if told ~= '\0' then
  for _, id in ipairs(swept_for(base, sid, told)) do lost[#lost + 1] = '\0' .. id end
end
local reply = {1, now, next_due, owned_now, more, ids, records, memories, lost}
if gives_rooms or has_holds or rules or #recalled > 0 or #errors > 0 then
  reply[10], reply[11], reply[12], reply[13] = {}, {}, recalled, errors
  if gives_rooms then
    for i, score in ipairs(scores) do reply[10][i] = score % PRIORITY_STEP + EPOCH end
  end
  if has_holds then
    reply[11] = held.names()
    -- Whoever waits for such a token can claim nothing while the limits are reached, and would only pop it.
    if is_open then
      for _, token in ipairs(held.tokens()) do leave_token(token) end
    end
  end
end
if rules then reply[14] = told_of(rules, unsorted) end
return reply
