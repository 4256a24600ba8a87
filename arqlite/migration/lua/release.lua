-- release: end jobs that are held in an arq queue, as a worker of arq would.
--
-- KEYS     queue   zset  id -> due time, ms (arq's)
--          aborts  zset  id -> when an abort was asked for, ms (arq's)
-- ARGV     job_prefix, lock_prefix, retry_prefix, result_prefix
--          our_lock   what stands in the lock of a job that is held
--          work*      per job: id, result ('' keeps none), ms to keep it (-1 for ever)
-- RETURNS  how many were held
-- COST     O(n log N)
local released = 0
for i = work, #ARGV, 3 do
  local id, result, keep_ms = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
  if redis.call('GET', lock_prefix .. id) == our_lock then
    if result ~= '' then
      redis.call('SET', result_prefix .. id, result)
      if keep_ms >= 0 then redis.call('PEXPIRE', result_prefix .. id, math.max(keep_ms, 1)) end
    end
    redis.call('ZREM', queue, id)
    redis.call('ZREM', aborts, id)
    redis.call('DEL', lock_prefix .. id, job_prefix .. id, retry_prefix .. id)
    released = released + 1
  end
end
return released
