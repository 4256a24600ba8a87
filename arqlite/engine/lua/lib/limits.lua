-- The limits of a queue over all its workers, kept at the claim. A lane has room, or waits: until another of its
-- jobs ends, or until a moment when its rate may be open again.
local SORTED_AT_ONCE, MOVED_AT_ONCE, LOOKED_AT_ONCE = 100, 1000, 100

-- One function that makes the others: a script for whose queue nothing is settled never calls it.
local function limits_of(base, rules, now)
  local limits = {}
  local global, rate = rules.global, rules.rate
  local has_lanes = rules.part ~= ''
  local global_in_lanes = global and global.part ~= ''
  local rate_in_lanes = rate and rate.part ~= ''
  local laned, laneof, sorting = base .. 'laned', base .. 'laneof', base .. 'sorting'
  local open, waiting = base .. 'lanes', base .. 'lanewait'
  local grants, lanes = grants_of(base, rate, now), lanes_in(base)
  local touched = {}

  local function run_of(lane) return base .. 'lanerun:' .. lane end

  local function by_lane(ids)
    local found = {}
    if redis.call('EXISTS', laneof) == 1 then
      for i, lane in ipairs(redis.call('HMGET', laneof, unpack(ids))) do
        if lane then
          found[lane] = found[lane] or {}
          table.insert(found[lane], ids[i])
        end
      end
    end
    return found
  end

  -- These jobs of the session have started; `text` has their ids, with NUL between.
  limits.started = function(run, text)
    local ids, from, kept = {}, 1, {}
    while from do
      local to = string.find(text, '\0', from, true)
      ids[#ids + 1] = string.sub(text, from, to and to - 1)
      from = to and to + 1
    end
    for i, is_owned in ipairs(redis.call('SMISMEMBER', run, unpack(ids))) do
      if is_owned == 1 then kept[#kept + 1] = ids[i] end
    end
    if #kept == 0 then return end
    grants.close('', kept, true)
    for lane, members in pairs(by_lane(kept)) do grants.close(lane, members, true) end
  end

  -- These jobs are no session's any more. Those that may have started without a word count as started.
  limits.left = function(ids, may_have_started)
    if #ids == 0 then return end
    grants.close('', ids, may_have_started)
    redis.call('ZREM', sorting, unpack(ids))
    for lane, members in pairs(by_lane(ids)) do
      grants.close(lane, members, may_have_started)
      redis.call('SREM', run_of(lane), unpack(members))
      touched[lane] = true
    end
  end

  -- These jobs are over.
  limits.over = function(ids) redis.call('HDEL', laneof, unpack(ids)) end

  limits.put = function(lane, score, id)
    redis.call('ZADD', lanes.key(lane), score, id)
    redis.call('ZADD', laned, score, id)
    redis.call('HSET', laneof, id, lane)
    touched[lane] = true
  end

  local function is_of_now(lane) return tonumber(string.match(lane, '^(%d+):')) == rules.generation end

  -- A worker has told the lane of a job that it was given to sort. The fields may be others by now.
  limits.sorted = function(ready, lane, score, id)
    if has_lanes and is_of_now(lane) and rules.generation_of_lanes == rules.generation then
      limits.put(lane, score, id)
    else
      redis.call('ZADD', ready, score, id)
    end
  end

  limits.unsorted = lanes.unsorted

  local function room_of(lane)
    local room, wait = math.huge, -1
    if global_in_lanes then room = global.most - redis.call('SCARD', run_of(lane)) end
    if rate_in_lanes then
      local left, ms = grants.left(lane)
      if left <= 0 then wait = ms end
      room = math.min(room, left)
    end
    return room, wait
  end

  local function look_at(lane)
    local head = redis.call('ZRANGE', lanes.key(lane), 0, 0, 'WITHSCORES')[2]
    local room, wait = 0, -1
    if head then room, wait = room_of(lane) end
    if room > 0 then
      redis.call('ZADD', open, tonumber(head), lane)
    else
      redis.call('ZREM', open, lane)
    end
    if head and room <= 0 then
      redis.call('ZADD', waiting, wait >= 0 and now + wait or NEVER, lane)
    else
      redis.call('ZREM', waiting, lane)
    end
  end

  -- Lanes that something happened to are open or closed as they should be.
  limits.look_again = function()
    for lane in pairs(touched) do look_at(lane) end
    touched = {}
  end

  -- The lanes are those of other fields: their jobs are sorted anew. Returns whether that is done.
  local function dissolve(ready)
    local jobs = redis.call('ZRANGE', laned, 0, MOVED_AT_ONCE - 1, 'WITHSCORES')
    local ids, starts = {}, {}
    for i = 1, #jobs, 2 do
      ids[#ids + 1] = jobs[i]
      starts[i], starts[i + 1] = jobs[i + 1], jobs[i]
    end
    redis.call('DEL', open, waiting)
    if #ids > 0 then
      for lane, members in pairs(by_lane(ids)) do redis.call('ZREM', lanes.key(lane), unpack(members)) end
      redis.call('HDEL', laneof, unpack(ids))
      redis.call('ZREM', laned, unpack(ids))
      redis.call('ZADD', ready, unpack(starts))
    end
    if #ids == MOVED_AT_ONCE then return false end
    touched = {}
    redis.call('HSET', base .. 'meta', 'lanes', rules.generation)
    rules.generation_of_lanes = rules.generation
    return true
  end

  -- How many jobs of all lanes together may be claimed, and if none when that may be otherwise.
  local function room_of_all(live)
    local room, wait = math.huge, -1
    if global and not global_in_lanes then
      room = global.most
      if has_lanes then room = room + redis.call('ZCARD', sorting) end
      for _, sid in ipairs(redis.call('ZRANGE', live, 0, -1)) do
        room = room - redis.call('SCARD', base .. 'run:' .. sid)
      end
    end
    if rate and not rate_in_lanes then
      local left, ms = grants.left('')
      if left <= 0 then wait = ms end
      room = math.min(room, left)
    end
    return math.max(room, 0), wait
  end

  -- Jobs at the head of `ready` go to their lanes. Returns the others: a worker must tell theirs.
  local function sort(ready)
    local jobs = redis.call('ZRANGE', ready, 0, SORTED_AT_ONCE - 1, 'WITHSCORES')
    local ids, unknown, scores, known = {}, {}, {}, {}
    for i = 1, #jobs, 2 do ids[#ids + 1] = jobs[i] end
    local told = #ids > 0 and redis.call('EXISTS', laneof) == 1 and redis.call('HMGET', laneof, unpack(ids)) or {}
    for i, id in ipairs(ids) do
      local lane, score = told[i], tonumber(jobs[2 * i])
      if lane and is_of_now(lane) then
        known[#known + 1] = id
        limits.put(lane, score, id)
      else
        unknown[#unknown + 1], scores[#scores + 1] = id, score
      end
    end
    if #known > 0 then redis.call('ZREM', ready, unpack(known)) end
    return unknown, scores
  end

  local function claim_from(lane, most, last)
    local jobs = redis.call('ZRANGEBYSCORE', lanes.key(lane), '-inf', last, 'WITHSCORES', 'LIMIT', 0, most)
    local ids, scores = {}, {}
    for i = 1, #jobs, 2 do
      ids[#ids + 1], scores[#scores + 1] = jobs[i], tonumber(jobs[i + 1])
    end
    if #ids > 0 then
      redis.call('ZREM', lanes.key(lane), unpack(ids))
      redis.call('ZREM', laned, unpack(ids))
      redis.call('SADD', run_of(lane), unpack(ids))
      if rate_in_lanes then grants.take(lane, ids) end
    end
    look_at(lane)
    return ids, scores
  end

  -- The jobs that come first over all open lanes, up to a score.
  local function claim_lanes(most, bound)
    local ids, scores = {}, {}
    while #ids < most do
      local first = redis.call('ZRANGE', open, 0, 1, 'WITHSCORES')
      local lane = first[1]
      if not lane or tonumber(first[2]) > bound then break end
      local room = math.min(room_of(lane), most - #ids)
      if room <= 0 then
        look_at(lane)
      else
        local last = math.min(first[4] and tonumber(first[4]) or bound, bound)
        local more, at = claim_from(lane, room, last == math.huge and '+inf' or last)
        for i, id in ipairs(more) do ids[#ids + 1], scores[#scores + 1] = id, at[i] end
      end
    end
    return ids, scores
  end

  local function claim_sorted(ready, most, take_held)
    for _, lane in ipairs(redis.call('ZRANGEBYSCORE', waiting, '-inf', now, 'LIMIT', 0, LOOKED_AT_ONCE)) do
      look_at(lane)
    end
    if most <= 0 then return {}, {}, 0 end
    local held, moments = take_held(most)
    for i, id in ipairs(held) do redis.call('ZADD', ready, moments[i], id) end
    local unknown, places = sort(ready)
    limits.look_again()
    local ids, scores = claim_lanes(most, places[1] or math.huge)
    if rate and not rate_in_lanes and #ids > 0 then grants.take('', ids) end
    if #ids >= most or #unknown == 0 then return ids, scores, 0 end
    local places_of = {}
    for i, id in ipairs(unknown) do
      ids[#ids + 1], scores[#scores + 1] = id, places[i]
      places_of[2 * i - 1], places_of[2 * i] = places[i], id
    end
    redis.call('ZREM', ready, unpack(unknown))
    redis.call('ZADD', sorting, unpack(places_of))
    return ids, scores, #unknown
  end

  local function sooner(one, other) return one < 0 and other or other < 0 and one or math.min(one, other) end

  -- Claim what may start: `take` takes out of `ready` and holds, `take_held` out of holds alone, each at most
  -- so many. Returns ids, scores, how many of them are only to be sorted (the last ones), whether there is
  -- more for anybody, and when there may be again, -1 if no time brings that.
  limits.claim = function(live, ready, want, take, take_held)
    if rules.generation ~= rules.generation_of_lanes and not dissolve(ready) and has_lanes then
      return {}, {}, 0, true, -1
    end
    limits.look_again()
    local room, wait = room_of_all(live)
    local most = math.min(want, room)
    local ids, scores, unsorted = {}, {}, 0
    if has_lanes then
      ids, scores, unsorted = claim_sorted(ready, most, take_held)
    elseif most > 0 then
      ids, scores = take(most)
      if rate and #ids > 0 then grants.take('', ids) end
    end
    room = room - (#ids - unsorted)
    local has_ready = redis.call('EXISTS', ready) == 1
    local has_work = has_ready or redis.call('EXISTS', base .. 'holds') == 1
    local is_more = room > 0 and has_ready and (has_lanes or #ids >= want)
    if has_lanes then
      local has_open = redis.call('EXISTS', open) == 1
      has_work = has_work or has_open
      is_more = is_more or room > 0 and has_open
    end
    if room <= 0 and rate and not rate_in_lanes and has_work then
      local left, ms = grants.left('')
      wait = left <= 0 and ms or -1
    elseif not has_work then
      wait = -1
    end
    if has_lanes then
      local first = redis.call('ZRANGE', waiting, 0, 0, 'WITHSCORES')[2]
      if first and tonumber(first) < NEVER then wait = sooner(wait, math.max(tonumber(first) - now, 0)) end
    end
    return ids, scores, unsorted, is_more, wait, room > 0
  end

  return limits
end

-- A job that a dead session ran ends, or is deleted, before anybody has rescued it.
local function leave_limits(base, id, now)
  local rules = rules_of(base, '', '')
  if not rules then return end
  local limits = limits_of(base, rules, now)
  limits.left({id}, true)
  limits.over({id})
  limits.look_again()
end
