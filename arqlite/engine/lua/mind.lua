-- mind: have the end of a job announced, if it is still to come.
--
-- KEYS     jobs    hash  id -> record
--          wait    set   ids whose end somebody awaits
-- ARGV     id
-- RETURNS  1 it will be announced, 0 it has ended or is unknown
-- COST     O(1)
local record = redis.call('HGET', jobs, id)
if not record or string.sub(record, 1, 1) == 'R' then return 0 end
redis.call('SADD', wait, id)
return 1
