-- note: store what running jobs tell of themselves: how far they are, and lines.
--
-- KEYS     run     set   ids that this session owns
-- ARGV     base, noted, limit
--          stamp   names this call; what carries the stamp of the last one was stored by it
--          notes*  per job: id, when it was enqueued (ms since 1970), progress ('' leaves it as it is, '-'
--                  takes it away), ms to keep it all (0 not, -1 for ever), lines lost before these, n, n lines
-- RETURNS  jobs whose notes were stored; those of jobs that the session does not own are refused
-- COST     O(jobs + lines)
-- USES     notes
local stored, cursor = 0, notes
limit = tonumber(limit)
while cursor < #ARGV do
  local id, born, progress = ARGV[cursor], ARGV[cursor + 1], ARGV[cursor + 2]
  local ttl, lost, n = tonumber(ARGV[cursor + 3]), tonumber(ARGV[cursor + 4]), tonumber(ARGV[cursor + 5])
  local first = cursor + 6
  cursor = first + n
  -- The fence of `turn`: a run that was overtaken has nothing to say any more.
  if redis.call('SISMEMBER', run, id) == 1 then
    local note, log = base .. 'note:' .. id, base .. 'log:' .. id
    local known = redis.call('HMGET', note, 'born', 'stamp')
    -- The id may have been that of another job before.
    if known[1] ~= born then redis.call('DEL', note, log) end
    if known[1] ~= born or known[2] ~= stamp then
      redis.call('HSET', note, 'born', born, 'stamp', stamp)
      if progress == '-' then
        redis.call('HDEL', note, 'progress')
      elseif progress ~= '' then
        redis.call('HSET', note, 'progress', progress)
      end
      if n > 0 then
        local length = redis.call('RPUSH', log, unpack(ARGV, first, cursor - 1))
        if length > limit then
          redis.call('LTRIM', log, -limit, -1)
          lost = lost + length - limit
        end
      end
      if lost > 0 then redis.call('HINCRBY', note, 'lost', lost) end
      redis.call('PUBLISH', noted .. id, '1')
    end
    keep_notes(note, log, ttl)
    stored = stored + 1
  end
end
return stored
