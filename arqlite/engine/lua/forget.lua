-- forget: drop what is kept of a finished job, so that its id is free again.
--
-- KEYS     jobs    hash  id -> record
--          note    hash  what the job noted
--          log     list  its lines
--          errors  list  what its failed attempts left
-- ARGV     base, id
-- RETURNS  1 forgotten, 0 nothing was kept, -1 the job has not ended
-- COST     O(lines)
-- USES     clock settle locks
local record = redis.call('HGET', jobs, id)
if not record then return 0 end
if string.sub(record, 1, 1) ~= 'R' then return -1 end
if is_forgotten(record, clock()) then return 0 end
redis.call('DEL', note, log, errors)
moves_of_locks(base).forgotten(id)
return redis.call('HDEL', jobs, id)
