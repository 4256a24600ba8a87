-- Somebody must know what a hold is for. As long as the session that vouched last lives, somebody does; then
-- others who know it may step in. What nobody vouches for in this time goes back to `ready`, where a job of
-- an unknown function has its end. An idle worker looks three times meanwhile.
local ORPHANED_AFTER = 15000

local function release(base, holds, ready, name)
  local hold = hold_of(base, name)
  local jobs = redis.call('ZRANGE', hold, 0, 999, 'WITHSCORES')
  local starts = {}
  for i = 1, #jobs, 2 do
    starts[i] = jobs[i + 1]
    starts[i + 1] = jobs[i]
  end
  redis.call('ZADD', ready, unpack(starts))
  redis.call('ZREMRANGEBYRANK', hold, 0, #jobs / 2 - 1)
  close_if_empty(base, holds, name)
end

-- `vouchers` are names and who vouched, one after the other; returns whether jobs went back to `ready`.
local function vouch(base, live, holds, ready, sid, vouchers, known, now)
  local released = false
  for i = 1, #vouchers, 2 do
    local name, voucher = vouchers[i], vouchers[i + 1]
    if not is_alive(live, voucher) then
      local since = tonumber(string.match(voucher, '^%?(%d+)$'))
      if known[name] then
        redis.call('HSET', holds, name, sid)
      elseif not since then
        redis.call('HSET', holds, name, '?' .. string.format('%d', now))
      elseif now - since >= ORPHANED_AFTER then
        release(base, holds, ready, name)
        released = true
      end
    end
  end
  return released
end
