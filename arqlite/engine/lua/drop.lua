-- drop: delete a job and all that is kept of it, unless somebody runs it.
--
-- KEYS     jobs    hash  id -> record
--          tries   hash  id -> tries and crashes
--          ttls    set   result lifetimes in use
--          wait    set   ids whose end somebody awaits
--          note    hash  what it noted
--          log     list  its lines
-- ARGV     base, channel, id
--          states  letters of the states in which it may be deleted; '' is any
-- RETURNS  1 deleted, 0 it runs, -1 it is unknown, -2 it is in none of the states
-- COST     O(log N + holds + sessions + lines)
-- USES     clock score settle announce wake locks flows finish holds rules grants lanes limits homes
local now = clock()
local record = redis.call('HGET', jobs, id)
if not record then return -1 end
local homes = homes_of(base)
local had_expired, least = is_forgotten(record, now), least_by_hand_of(base)
if not had_expired then
  if states ~= '' and not string.find(states, homes.letter_of(id, record, now) or '?', 1, true) then return -2 end
  if string.sub(record, 1, 1) ~= 'R' then
    local _, owner = homes.free(id, now)
    if owner then return 0 end
    -- Steps of its workflow that wait for it do so no longer, and their ends are kept for a while.
    local ids, bodies = {id}, {'C00000000' .. string.sub(record, 3)}
    finish(base, jobs, ttls, tries, wait, channel, 3600000, least, now, ids, bodies)
  end
end
if least == 0 then
  redis.call('HDEL', jobs, id)
elseif not had_expired then
  -- Or the ledger, where its row may be open, would think that it was lost.
  local left = string.sub(record, 1, 1) == 'R' and string.sub(record, 15) or 'C00000000' .. string.sub(record, 3)
  settle(base, jobs, ttls, 0, least, now, {id}, {left})
end
redis.call('HDEL', tries, id)
redis.call('DEL', note, log, base .. 'err:' .. id)
moves_of_locks(base).forgotten(id)
-- Who awaits it is not to wait for ever: it is over, and not by itself.
announce(wait, channel, {id}, {'C'})
return had_expired and -1 or 1
