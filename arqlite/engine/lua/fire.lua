-- fire: enqueue a cron job for one tick, once, however many workers ask; nothing for one in a pause.
--
-- A job may have several schedules; those that name this tick are told together and enqueue it once. Without
-- any it is enqueued whenever that is asked for. A tick that a pause swallows is a thing of the past as well.
-- A schedule's last tick that is hours ahead is of a clock that has been set back since: it is void.
--
-- KEYS     cron     hash  name and schedule -> its last tick, ms since 1970
--          cronctl  hash  name of a cron job -> its pauses
--          jobs     hash  id -> record
--          ready    zset  id -> priority and time
--          wake     list  the token
-- ARGV     base, name, tick, id, record
--          digest, period, states, since   of a unique job, as in enqueue; '' as the digest of any other
--          schedules*
-- RETURNS  {1 enqueued, 0 fired before or too early or paused or the id is in use; the clock, ms since 1970},
--          and {0, clock, id, state} of the equal job of a unique one that is not enqueued, its tick being fired
-- COST     O(log N), once per new schedule O(schedules); per conflict O(sessions)
-- USES     clock score settle wake holds lanes homes locks conflict pauses
local FORGET_AFTER_MS = 400 * 24 * 3600 * 1000
local now = clock()
tick = tonumber(tick)
if tick > now then return {0, now} end
local fired, is_new = false, false
for i = schedules, #ARGV do
  local last = tonumber(redis.call('HGET', cron, ARGV[i]) or 0)
  if last >= tick and last <= now + FAR_AHEAD_MS then
    fired = true
  elseif redis.call('HSET', cron, ARGV[i], string.format('%.0f', tick)) == 1 then
    is_new = true
  end
end
if is_new then
  -- Schedules that a deploy has replaced would stay for ever.
  local known = redis.call('HGETALL', cron)
  for i = 1, #known, 2 do
    if tonumber(known[i + 1]) < math.min(now - FORGET_AFTER_MS, tick) then redis.call('HDEL', cron, known[i]) end
  end
end
local known = pauses_in(redis.call('HGET', cronctl, name))
if fired or is_on(known) or was_on(known, tick, now) then return {0, now} end
local old = redis.call('HGET', jobs, id)
if old and not is_forgotten(old, now) then return {0, now} end
if digest ~= '' then
  local locks, ms, by_due = moves_of_locks(base), tonumber(period), since == 's'
  local equal, state = conflict_of(base, jobs, locks, digest, now, ms, states, by_due, {})
  if equal then return {0, now, equal, state} end
  locks.take(digest, id, now, now, ms, by_due)
end
redis.call('HSET', jobs, id, record)
redis.call('ZADD', ready, ready_score(priority_of(record), now), id)
leave_token(wake)
return {1, now}
