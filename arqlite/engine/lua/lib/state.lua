-- The state of a job that has not ended, as a letter: a available, e executing, s scheduled, r retryable,
-- u suspended; and when it is due, if it waits for that. Where it is, is its state. Needs clock and score.
-- One that ended has the letter of its body: S completed, F discarded, C cancelled.
local function state_of(base, id, now)
  local score = redis.call('ZSCORE', base .. 'sched', id)
  if score then
    local due = due_of(tonumber(score))
    if due <= now then return 'a', due end
    local memory = redis.call('HGET', base .. 'tries', id)
    return memory and string.match(memory, '^%d+:%d+:%d+:%d+:%d+:%d+[:%d]*:1$') and 'r' or 's', due
  end
  if redis.call('ZSCORE', base .. 'ready', id) then return 'a' end
  if redis.call('ZSCORE', base .. 'susp', id) then return 'u' end
  if redis.call('EXISTS', base .. 'sorting') == 1 and redis.call('ZSCORE', base .. 'sorting', id) then return 'a' end
  for _, sid in ipairs(redis.call('ZRANGE', base .. 'live', 0, -1)) do
    if redis.call('SISMEMBER', base .. 'run:' .. sid, id) == 1 then return 'e' end
  end
  -- Where else it waits, it waits for room only.
  return 'a'
end
