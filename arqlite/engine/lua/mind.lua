-- mind: have the end of a job or of a workflow announced, if it is still to come.
--
-- KEYS     jobs    hash  id -> record
--          wait    set   ids whose end somebody awaits
-- ARGV     base, id
-- RETURNS  1 it will be announced, 0 it has ended or is unknown
-- COST     O(1)
local record = redis.call('HGET', jobs, id)
if record and string.sub(record, 1, 1) == 'R' then return 0 end
if not record then
  local state = redis.call('HGET', base .. 'wf:' .. id, 'state')
  if state ~= 'running' and state ~= 'compensating' then return 0 end
end
redis.call('SADD', wait, id)
return 1
