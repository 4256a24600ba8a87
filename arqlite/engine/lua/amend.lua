-- amend: change what is kept of a job that ended, where nobody has changed it meanwhile.
--
-- KEYS     jobs    hash  id -> record
-- ARGV     id
--          expected  the record as the caller read it
--          record    the new one, of the same end
-- RETURNS  1 done (a repetition included), -1 it is unknown, -2 it was changed meanwhile
-- COST     O(1)
-- USES     clock settle
local old = redis.call('HGET', jobs, id)
if not old or is_forgotten(old, clock()) then return -1 end
if old ~= expected and old ~= record then return -2 end
redis.call('HSET', jobs, id, record)
return 1
