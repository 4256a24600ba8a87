-- errors: tell what the failed attempts of a job left, whether it has ended or not.
--
-- KEYS     jobs    hash  id -> record
-- ARGV     base, id
-- RETURNS  its errors, oldest first; none of a job that is not known
-- COST     O(errors)
if redis.call('HEXISTS', jobs, id) == 0 then return {} end
return redis.call('LRANGE', base .. 'err:' .. id, 0, -1)
