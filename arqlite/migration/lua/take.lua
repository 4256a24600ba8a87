-- take: move jobs out of an arq queue, or hold them in it, and stage what is to become of each.
--
-- KEYS     queue   zset  id -> due time, ms (arq's)
--          aborts  zset  id -> when an abort was asked for, ms (arq's)
--          staged  hash  id -> what is to be planted; one such hash per token
--          index   hash  token -> the queue that the batch is meant for
-- ARGV     job_prefix, lock_prefix, retry_prefix, token, target
--          mode        'take', 'force' (take running ones, too) or 'hold' (keep it under our lock)
--          our_lock    what stands in the lock of a job that is held
--          held_score  where a held job stands in the queue: beyond every due time
--          work*       per job: id, score, body, tries and what to stage; tries and body '' when absent
-- RETURNS  per job 1 staged, 0 running, -1 gone or no longer what was read
-- COST     O(n log N)
local known = redis.call('EXISTS', staged) == 1
local answers, any = {}, false
for i = work, #ARGV, 5 do
  local id, body, tries = ARGV[i], ARGV[i + 2], ARGV[i + 3]
  local lock, job, retry = lock_prefix .. id, job_prefix .. id, retry_prefix .. id
  local answer = -1
  local score = redis.call('ZSCORE', queue, id)
  if known then
    -- This very call was made before and its reply was lost.
    answer = redis.call('HEXISTS', staged, id) == 1 and 1 or -1
  elseif mode ~= 'force' and redis.call('EXISTS', lock) == 1 then
    answer = 0
  elseif score and tonumber(score) == tonumber(ARGV[i + 1])
      and (redis.call('GET', job) or '') == body and (redis.call('GET', retry) or '') == tries then
    -- A worker of arq that is about to start this job watches its lock: touching it makes that fail.
    redis.call('SET', lock, our_lock)
    if mode == 'hold' then
      redis.call('ZADD', queue, held_score, id)
      redis.call('PERSIST', job)
    else
      redis.call('ZREM', queue, id)
      redis.call('DEL', lock, job, retry)
    end
    redis.call('ZREM', aborts, id)
    redis.call('HSET', staged, id, ARGV[i + 4])
    answer, any = 1, true
  end
  answers[#answers + 1] = answer
end
if any then redis.call('HSET', index, token, target) end
return answers
