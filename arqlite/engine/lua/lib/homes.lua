-- Where a job is that has not ended. Whoever looks for one or takes one out does it here, so that a new home
-- is added in this place alone. Needs score, holds and lanes; `free` also rules, grants and limits.
--
-- A state is a letter: a available, s scheduled, r retryable, u suspended, e executing, and as in its body
-- S completed, F discarded, C cancelled.
local STATE_OF_HOME = {ready = 'a', held = 'a', suspended = 'u'}
local AWAITS_A_TRY = '^%d+:%d+:%d+:%d+:%d+:%d+[:%d]*:1$'

local function homes_of(base)
  local homes = {}
  local ready, sched, susp, live = base .. 'ready', base .. 'sched', base .. 'susp', base .. 'live'
  local held, lanes = moves_of_holds(base, base .. 'holds'), lanes_in(base)

  -- Returns per id the name of the home where it waits, and its score there; nothing if it waits nowhere.
  homes.all_of = function(ids)
    local names, scores = {}, {}
    local function look(name, zset)
      for i, score in ipairs(redis.call('ZMSCORE', zset, unpack(ids))) do
        if score then names[i], scores[i] = name, tonumber(score) end
      end
    end
    look('scheduled', sched)
    look('ready', ready)
    if redis.call('EXISTS', susp) == 1 then look('suspended', susp) end
    for _, name in ipairs(held.names()) do look('held', base .. 'hold:' .. name) end
    -- In a lane, or with a session that is only to tell which, it may start as if it were in `ready`.
    for _, zset in ipairs(lanes.zsets) do
      if redis.call('EXISTS', zset) == 1 then look('ready', zset) end
    end
    return names, scores
  end

  homes.of = function(id)
    local names, scores = homes.all_of({id})
    return names[1], scores[1]
  end

  -- Returns per id the session that owns it, and when the lease of that one ends; nothing without one.
  homes.owners_of = function(ids)
    local owners, ends = {}, {}
    local sessions = redis.call('ZRANGE', live, 0, -1, 'WITHSCORES')
    for s = 1, #sessions, 2 do
      for i, is_there in ipairs(redis.call('SMISMEMBER', base .. 'run:' .. sessions[s], unpack(ids))) do
        if is_there == 1 then owners[i], ends[i] = sessions[s], tonumber(sessions[s + 1]) end
      end
    end
    return owners, ends
  end

  homes.owner_of = function(id)
    local owners, ends = homes.owners_of({id})
    return owners[1], ends[1]
  end

  -- Returns the letter of a job that waits in this home, and when it is or was due.
  homes.letter_in = function(name, score, memory, now)
    if name ~= 'scheduled' then return STATE_OF_HOME[name], score % PRIORITY_STEP + EPOCH end
    local due = due_of(score)
    if due <= now then return 'a', due end
    return memory and string.match(memory, AWAITS_A_TRY) and 'r' or 's', due
  end

  -- Returns the letter of a job, whatever it is, and when it is due if it waits for that; nothing for one that
  -- is nowhere.
  homes.letter_of = function(id, record, now)
    if string.sub(record, 1, 1) == 'R' then return string.sub(record, 15, 15) end
    local name, score = homes.of(id)
    if name then
      local letter, moment = homes.letter_in(name, score, redis.call('HGET', base .. 'tries', id), now)
      return letter, name == 'scheduled' and moment or nil
    end
    return homes.owner_of(id) and 'e'
  end

  -- Give a job that waits another priority, at the place that its moment has there.
  homes.rank = function(id, priority)
    local score = redis.call('ZSCORE', sched, id)
    if score then redis.call('ZADD', sched, sched_score(priority, due_of(tonumber(score))), id) end
    local zsets = {ready, susp}
    for _, name in ipairs(held.names()) do zsets[#zsets + 1] = base .. 'hold:' .. name end
    for _, zset in ipairs(zsets) do
      score = redis.call('ZSCORE', zset, id)
      if score then redis.call('ZADD', zset, priority * PRIORITY_STEP + tonumber(score) % PRIORITY_STEP, id) end
    end
  end

  -- Take a job out of where it waits. Returns whether it did.
  homes.take = function(id)
    local is_out = redis.call('ZREM', ready, id) + redis.call('ZREM', sched, id) + redis.call('ZREM', susp, id) > 0
    is_out = is_out or held.remove(id) or lanes.remove(id)
    if is_out then lanes.forget(id) end
    return is_out
  end

  -- Take a job out of where it waits, or away from a session whose lease is over: nobody runs it any more
  -- who could still end it. Returns whether it is out, and if not who runs it.
  homes.free = function(id, now)
    if homes.take(id) then return true end
    local owner, lease_end = homes.owner_of(id)
    if not owner or lease_end > now then return false, owner end
    redis.call('SREM', base .. 'run:' .. owner, id)
    leave_limits(base, id, now)
    return true
  end

  return homes
end
