-- cancel: end a job that has not started, or ask the worker that runs it to.
--
-- KEYS     live    zset  session -> lease deadline, ms
--          jobs    hash  id -> record
--          ready   zset  id -> priority and time
--          sched   zset  id -> due time and priority
--          tries   hash  id -> tries and crashes
--          wait    set   ids whose end somebody awaits
--          ttls    set   result lifetimes in use
--          holds   hash  name of a hold -> the session that vouches for it
--          note    hash  what earlier runs noted
--          log     list  their lines
-- ARGV     base, channel, control, id, ttl_ms
--          teller  the session that put it back and now cancels it as it was asked to; '' is anybody else
--          body    what to write as its end if it has not started; the job itself is appended
-- RETURNS  0 unknown (nothing is left behind), 1 cancelled here, 2 asked its worker, 3 had ended before
-- COST     O(log N + holds + sessions)
-- USES     clock settle announce locks finish holds notes rules grants lanes limits
if teller ~= '' then redis.call('SREM', base .. 'cancel:' .. teller, id) end
local now = clock()
local record = redis.call('HGET', jobs, id)
if not record or is_forgotten(record, now) then return 0 end
if string.sub(record, 1, 1) == 'R' then return 3 end

local waiting = redis.call('ZREM', ready, id) + redis.call('ZREM', sched, id) > 0
waiting = waiting or moves_of_holds(base, holds).remove(id) or lanes_in(base).remove(id)
if not waiting then
  local sessions = redis.call('ZRANGE', live, 0, -1, 'WITHSCORES')
  for i = 1, #sessions, 2 do
    local sid, run = sessions[i], base .. 'run:' .. sessions[i]
    if redis.call('SISMEMBER', run, id) == 1 then
      if tonumber(sessions[i + 1]) > now then
        redis.call('SADD', base .. 'cancel:' .. sid, id)
        redis.call('PUBLISH', control .. sid, id)
        return 2
      end
      -- Its lease is over: nobody runs it any more who could still end it.
      waiting = redis.call('SREM', run, id) == 1
    end
  end
end
if not waiting then return 0 end
local rules = rules_of(base, '', '')
if rules then
  local limits = limits_of(base, rules, now)
  limits.left({id}, true)
  limits.over({id})
  limits.look_again()
end
local ids, bodies = {id}, {body .. string.sub(record, 3)}
keep_notes(note, log, tonumber(ttl_ms))
finish(base, jobs, ttls, tries, wait, channel, tonumber(ttl_ms), now, ids, bodies)
return 1
