-- cancel: end a job that has not started, or ask the worker that runs it to.
--
-- KEYS     jobs    hash  id -> record
--          tries   hash  id -> tries and crashes
--          wait    set   ids whose end somebody awaits
--          ttls    set   result lifetimes in use
--          note    hash  what earlier runs noted
--          log     list  their lines
-- ARGV     base, channel, control, id, ttl_ms
--          states  letters of the states in which it may be cancelled; '' is any
--          teller  the session that put it back and now cancels it as it was asked to; '' is anybody else
--          body    what to write as its end if it has not started; the job itself is appended
-- RETURNS  0 unknown (nothing is left behind), 1 cancelled here, 2 asked its worker, 3 had ended before, 4 it
--          is in none of the states
-- COST     O(log N + holds + sessions)
-- USES     clock score settle announce wake locks flows finish holds rules grants lanes limits homes notes
if teller ~= '' then redis.call('SREM', base .. 'cancel:' .. teller, id) end
local now = clock()
local record = redis.call('HGET', jobs, id)
if not record or is_forgotten(record, now) then return 0 end
local homes = homes_of(base)
-- The same bytes again, with the moment of the cancellation in them, are a resend whose first reply was lost.
if string.sub(record, 1, 1) == 'R' and string.sub(record, 15, 14 + #body) == body then return 1 end
if states ~= '' and not string.find(states, homes.letter_of(id, record, now) or '?', 1, true) then return 4 end
if string.sub(record, 1, 1) == 'R' then return 3 end
local is_free, owner = homes.free(id, now)
if owner then
  redis.call('SADD', base .. 'cancel:' .. owner, id)
  redis.call('PUBLISH', control .. owner, id)
  return 2
end
if not is_free then return 0 end
local ids, bodies = {id}, {body .. string.sub(record, 3)}
keep_notes(note, log, tonumber(ttl_ms))
finish(base, jobs, ttls, tries, wait, channel, tonumber(ttl_ms), least_by_hand_of(base), now, ids, bodies)
return 1
