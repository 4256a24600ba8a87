-- Lanes keep the jobs of a queue whose limits are partitioned, in the order of `ready`: one zset per lane, and
-- `laned` for all of them. Such a job may start, as one in `ready` may. `laneof` names the lane of a job from
-- its first claim to its end; `sorting` has those that a worker was given to tell their lane.
local function lanes_in(base)
  local moves = {}
  local laned, laneof, sorting = base .. 'laned', base .. 'laneof', base .. 'sorting'

  -- Where the jobs of all lanes are, and those whose lane is being told.
  moves.zsets = {laned, sorting}

  moves.key = function(lane) return base .. 'lane:' .. lane end

  moves.count = function() return redis.call('ZCARD', laned) end

  moves.score = function(id)
    local score = redis.call('ZSCORE', laned, id) or redis.call('ZSCORE', sorting, id)
    return score and tonumber(score)
  end

  -- Returns whether the job was in a lane. A lane that has become empty is gone.
  moves.remove = function(id)
    if redis.call('ZREM', laned, id) == 0 then return false end
    local lane = redis.call('HGET', laneof, id)
    redis.call('ZREM', moves.key(lane), id)
    redis.call('HDEL', laneof, id)
    local head = redis.call('ZRANGE', moves.key(lane), 0, 0, 'WITHSCORES')[2]
    if not head then
      redis.call('ZREM', base .. 'lanes', lane)
      redis.call('ZREM', base .. 'lanewait', lane)
    elseif redis.call('ZSCORE', base .. 'lanes', lane) then
      redis.call('ZADD', base .. 'lanes', tonumber(head), lane)
    end
    return true
  end

  moves.forget = function(id) redis.call('HDEL', laneof, id) end

  -- Returns the moment of each job that a worker has only to sort; false of any other.
  moves.unsorted = function(ids)
    return redis.call('EXISTS', sorting) == 1 and redis.call('ZMSCORE', sorting, unpack(ids)) or {}
  end

  return moves
end
