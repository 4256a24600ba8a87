-- A hold keeps jobs that were claimed where there was no room for them, in the order of `ready`. It has a
-- token of its own, which only those with room wait for: others would hand it round among themselves.
--
-- Somebody must know what a hold is for. While the session that vouched last lives, somebody does; after it
-- others who know may step in. What nobody vouches for in this time goes back to `ready`, where a job of an
-- unknown function has its end. An idle worker looks three times meanwhile.
local ORPHANED_AFTER = 15000

-- One function that makes the others: a script that meets no hold pays for one.
local function moves_of_holds(base, holds)
  local moves = {}

  local function hold_of(name) return base .. 'hold:' .. name end

  local function token_of(name) return base .. 'wake:' .. name end

  local function close_if_empty(name)
    if redis.call('EXISTS', hold_of(name)) == 1 then return end
    redis.call('HDEL', holds, name)
    redis.call('DEL', token_of(name))
  end

  moves.names = function() return redis.call('HKEYS', holds) end

  moves.tokens = function()
    local tokens = {}
    for i, name in ipairs(moves.names()) do tokens[i] = token_of(name) end
    return tokens
  end

  moves.count = function()
    local held = 0
    for _, name in ipairs(moves.names()) do held = held + redis.call('ZCARD', hold_of(name)) end
    return held
  end

  moves.score = function(id)
    for _, name in ipairs(moves.names()) do
      local score = redis.call('ZSCORE', hold_of(name), id)
      if score then return tonumber(score) end
    end
  end

  -- Returns whether the hold is new.
  moves.put = function(name, sid, score, id)
    redis.call('ZADD', hold_of(name), score, id)
    return redis.call('HSET', holds, name, sid) == 1
  end

  -- Returns whether the job was held.
  moves.remove = function(id)
    for _, name in ipairs(moves.names()) do
      if redis.call('ZREM', hold_of(name), id) == 1 then
        close_if_empty(name)
        return true
      end
    end
    return false
  end

  local function release(name, ready)
    local jobs = redis.call('ZRANGE', hold_of(name), 0, 999, 'WITHSCORES')
    local starts = {}
    for i = 1, #jobs, 2 do
      starts[i] = jobs[i + 1]
      starts[i + 1] = jobs[i]
    end
    redis.call('ZREMRANGEBYRANK', hold_of(name), 0, #jobs / 2 - 1)
    redis.call('ZADD', ready, unpack(starts))
    close_if_empty(name)
  end

  -- `knows` says of a name whether this session vouches for it. Returns whether jobs went back to `ready`.
  moves.vouch = function(live, ready, sid, knows, now)
    local released = false
    local vouchers = redis.call('HGETALL', holds)
    for i = 1, #vouchers, 2 do
      local name, voucher = vouchers[i], vouchers[i + 1]
      if not is_alive(live, voucher) then
        local since = tonumber(string.match(voucher, '^%?(%d+)$'))
        if knows[name] then
          redis.call('HSET', holds, name, sid)
        elseif not since then
          redis.call('HSET', holds, name, '?' .. string.format('%d', now))
        elseif now - since >= ORPHANED_AFTER then
          release(name, ready)
          released = true
        end
      end
    end
    return released
  end

  -- Take the `want` jobs that come first, out of `ready` if it is given and out of the holds that there are `rooms` for;
  -- `left` tells how many jobs the holds of a pool may give together. Returns ids and scores.
  moves.claim = function(ready, want, rooms, left)
    local sources = {}
    for _, room in ipairs(rooms) do
      if room.most > 0 then
        sources[#sources + 1] = {key = hold_of(room.name), name = room.name, pool = room.pool, most = room.most}
      end
    end
    if ready then sources[#sources + 1] = {key = ready, most = want} end
    for _, source in ipairs(sources) do
      source.jobs = redis.call('ZRANGE', source.key, 0, math.min(source.most, want) - 1, 'WITHSCORES')
      source.taken = 0
      source.id, source.score = source.jobs[1], tonumber(source.jobs[2])
    end
    -- As in a zset, the id decides between two of one score.
    local function is_before(one, other)
      return one.score < other.score or one.score == other.score and one.id < other.id
    end

    local ids, scores = {}, {}
    while #ids < want do
      local first
      for _, source in ipairs(sources) do
        local may = not source.pool or left[source.pool] > 0
        if may and source.id and (not first or is_before(source, first)) then first = source end
      end
      if not first then break end
      ids[#ids + 1] = first.id
      scores[#ids] = first.score
      first.taken = first.taken + 1
      first.id, first.score = first.jobs[2 * first.taken + 1], tonumber(first.jobs[2 * first.taken + 2])
      if first.pool then left[first.pool] = left[first.pool] - 1 end
    end

    for _, source in ipairs(sources) do
      if source.taken > 0 then
        redis.call('ZREMRANGEBYRANK', source.key, 0, source.taken - 1)
        if source.name then close_if_empty(source.name) end
      end
    end
    return ids, scores
  end

  return moves
end
