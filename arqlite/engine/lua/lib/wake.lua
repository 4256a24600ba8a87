-- One token is enough: its popper claims, and leaves a new one if work remains.
local function leave_token(wake)
  if redis.call('LLEN', wake) == 0 then redis.call('RPUSH', wake, '1') end
end
