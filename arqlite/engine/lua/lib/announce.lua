-- Tell those who await a result. The outcome rides along, since the result itself may not be kept.
local function announce(wait, channel, ids, bodies)
  if redis.call('EXISTS', wait) == 0 then return end
  local awaited = redis.call('SMISMEMBER', wait, unpack(ids))
  for i, id in ipairs(ids) do
    if awaited[i] == 1 then
      redis.call('SREM', wait, id)
      redis.call('PUBLISH', channel, string.sub(bodies[i], 1, 1) .. id)
    end
  end
end
