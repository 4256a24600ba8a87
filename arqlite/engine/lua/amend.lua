-- amend: change what is kept of a job that ended, where nobody has changed it meanwhile.
--
-- KEYS     jobs    hash  id -> record
-- ARGV     base, id
--          expected  the record as the caller read it
--          record    the new one, of the same end
--          live      what it is if its workflow lets it run again
-- RETURNS  1 done (a repetition included), -1 it is unknown, -2 it was changed meanwhile
-- COST     O(1)
-- USES     clock score settle announce wake flows
local now = clock()
local old = redis.call('HGET', jobs, id)
if not old or is_forgotten(old, now) then return -1 end
if old ~= expected and old ~= record then return -2 end
redis.call('HSET', jobs, id, record)
moves_of_flows(base, jobs, '', '', now).changed(id, live)
return 1
