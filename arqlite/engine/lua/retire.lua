-- retire: end jobs that wait although the ledger knows how they ended, as that has it; not those that somebody runs.
--
-- KEYS     jobs    hash  id -> record
--          tries   hash  id -> tries and crashes
--          wait    set   ids whose end somebody awaits
--          ttls    set   result lifetimes in use
-- ARGV     base, channel, ttl_ms
--          work*   per job: id, its record as the caller read it, what was remembered of it then, what to write as its
--                  end; the job itself is appended
-- RETURNS  the positions (from 1) of those that ended here
-- COST     O(n (log N + holds + sessions))
-- USES     clock score settle announce wake locks flows finish holds rules grants lanes limits homes
local now, homes = clock(), homes_of(base)
local ids, bodies, retired = {}, {}, {}
for i = work, #ARGV, 4 do
  local id, expected, memory, body = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local is_same = redis.call('HGET', jobs, id) == expected and (redis.call('HGET', tries, id) or '') == memory
  if is_same and string.sub(expected, 1, 1) == 'Q' and homes.free(id, now) then
    ids[#ids + 1], bodies[#bodies + 1] = id, body .. string.sub(expected, 3)
    retired[#retired + 1] = (i - work) / 4 + 1
  end
end
if #ids > 0 then
  finish(base, jobs, ttls, tries, wait, channel, tonumber(ttl_ms), least_of(base), now, ids, bodies)
end
return retired
