-- Tell which job a new one is in conflict with, and in which state that is; nothing where there is none.
--
-- `period` is the new job's, in ms, -1 for ever: what is older does not count. `states` are the letters of
-- those that do. `fresh` has the letters of jobs that this very script stores.
local function conflict_of(base, jobs, locks, digest, now, period, states, by_due, fresh)
  local lock = locks.read(digest)
  if not lock then return nil end
  local letter, due = lock.letter, nil
  if letter == '' and fresh[lock.id] then
    letter = fresh[lock.id]
  else
    local record = redis.call('HGET', jobs, lock.id)
    local is_known = record and not is_forgotten(record, now)
    if letter == '' then
      if not is_known or string.sub(record, 1, 1) == 'R' then return nil end
      letter, due = homes_of(base).letter_of(lock.id, record, now)
      if not letter then return nil end
    elseif lock.until_ms <= now or lock.ends < 0 and not is_known then
      return nil
    end
  end
  if not string.find(states, letter, 1, true) then return nil end
  if period >= 0 and (by_due and (due or lock.due) or lock.inserted) < now - period then return nil end
  return lock.id, letter
end
