-- A hold keeps jobs that were claimed where there is no room for them, in the order of `ready`. It has a
-- token of its own, which only those with room wait for: others would hand it round among themselves.
local function hold_of(base, name)
  return base .. 'hold:' .. name
end

local function token_of(base, name)
  return base .. 'wake:' .. name
end

local function close_if_empty(base, holds, name)
  if redis.call('EXISTS', hold_of(base, name)) == 1 then return end
  redis.call('HDEL', holds, name)
  redis.call('DEL', token_of(base, name))
end

local function find_held(base, holds, id)
  for _, name in ipairs(redis.call('HKEYS', holds)) do
    local score = redis.call('ZSCORE', hold_of(base, name), id)
    if score then return name, tonumber(score) end
  end
end
