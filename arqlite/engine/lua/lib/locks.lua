-- The lock of a unique job, `u:<digest>`: when the job was enqueued and due, until when its own period lasts
-- (-1 for ever), and once it ended its outcome letter and until when it counts; then its id.
--
-- While the job lives, so does its lock, and `locks` tells which one it is. Afterwards both it and `uid:<id>`,
-- which tells the same then, go by themselves: with what is kept of the job, or at the end of the period.

-- One function that makes the others: a script that meets no lock pays for one.
local function moves_of_locks(base)
  local moves, locks = {}, base .. 'locks'
  local NEVER = 9999999999999

  local function lock_of(digest) return base .. 'u:' .. digest end

  local function former_of(id) return base .. 'uid:' .. id end

  local function whole(ms) return string.format('%.0f', ms) end

  moves.read = function(digest)
    local text = redis.call('GET', lock_of(digest))
    if not text then return nil end
    local inserted, due, ends, letter, until_ms, id = string.match(text, '^(%d+):(%d+):(-?%d+):(%a?):(%d+):(.*)$')
    return {
      id = id, inserted = tonumber(inserted), due = tonumber(due), ends = tonumber(ends), letter = letter,
      until_ms = tonumber(until_ms),
    }
  end

  local function write(digest, lock)
    local text = table.concat({
      whole(lock.inserted), whole(math.max(lock.due, 0)), whole(lock.ends), lock.letter, whole(lock.until_ms), lock.id,
    }, ':')
    redis.call('SET', lock_of(digest), text)
  end

  -- Whoever held it before holds it no more, even if it lives on.
  moves.take = function(digest, id, now, due, period, by_due)
    local ends = period < 0 and -1 or (by_due and due or now) + period
    write(digest, {id = id, inserted = now, due = due, ends = math.max(ends, -1), letter = '', until_ms = 0})
    redis.call('HSET', locks, id, digest)
    redis.call('DEL', former_of(id))
  end

  -- `ttl` is how long the ends of the jobs are kept, as in settle.
  moves.ended = function(ttl, now, ids, bodies)
    local digests = redis.call('HMGET', locks, unpack(ids))
    local held = {}
    for i, id in ipairs(ids) do
      local digest = digests[i]
      if digest then
        held[#held + 1] = id
        local lock = moves.read(digest)
        if lock and lock.id == id then
          lock.letter = string.sub(bodies[i], 1, 1)
          lock.until_ms = math.min(math.max(lock.ends, ttl < 0 and NEVER or now + ttl), NEVER)
          if lock.until_ms <= now then
            redis.call('DEL', lock_of(digest))
          else
            write(digest, lock)
            redis.call('SET', former_of(id), digest)
            if lock.until_ms < NEVER then
              redis.call('PEXPIRE', lock_of(digest), lock.until_ms - now)
              redis.call('PEXPIRE', former_of(id), lock.until_ms - now)
            end
          end
        end
      end
    end
    if #held > 0 then redis.call('HDEL', locks, unpack(held)) end
  end

  -- Nothing is kept of the job any more; whether it had ended or not.
  moves.forgotten = function(id)
    local digest = redis.call('HGET', locks, id) or redis.call('GET', former_of(id))
    if not digest then return end
    local lock = moves.read(digest)
    if lock and lock.id == id then redis.call('DEL', lock_of(digest)) end
    redis.call('DEL', former_of(id))
    redis.call('HDEL', locks, id)
  end

  -- A job that had ended lives again, and so does its lock, unless another one has it by now.
  moves.revived = function(id)
    local digest = redis.call('GET', former_of(id))
    if not digest then return end
    redis.call('DEL', former_of(id))
    local lock = moves.read(digest)
    if not lock or lock.id ~= id then return end
    lock.letter, lock.until_ms = '', 0
    write(digest, lock)
    redis.call('HSET', locks, id, digest)
  end

  moves.moved = function(id, due)
    local digest = redis.call('HGET', locks, id)
    local lock = digest and moves.read(digest)
    if not lock or lock.id ~= id then return end
    lock.due = due
    write(digest, lock)
  end

  return moves
end
