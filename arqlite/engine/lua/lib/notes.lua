-- What a job noted is kept as long as its result: `ttl` 0 keeps nothing, -1 keeps for ever. Whoever
-- follows the job may still look for how far it came, so that one fact outlives a result of no life.
local LAST_LOOK, LONGEST = 10000, 9999999999999

local function keep_notes(note, log, ttl)
  if ttl < 0 or ttl > LONGEST then
    redis.call('PERSIST', note)
    redis.call('PERSIST', log)
  elseif ttl == 0 then
    redis.call('PEXPIRE', note, LAST_LOOK)
    redis.call('DEL', log)
  else
    redis.call('PEXPIRE', note, ttl)
    redis.call('PEXPIRE', log, ttl)
  end
end
