-- Steps of workflows that ended without a run, and of which nobody has told, are in the list `swept`, and so are jobs
-- that a rescue cancelled, these with a NUL before their id. A session that
-- tells of them takes some along, `telling:<session>`, until it says that it has told: the reply that brought them may be
-- lost, and so may the session.
local MOST_TOLD, SWEPT_FOR = 1000, 86400000

local function telling_of(base, sid) return base .. 'telling:' .. sid end

local function told_of_swept(base, sid, told)
  for id in string.gmatch(told, '[^%z]+') do redis.call('SREM', telling_of(base, sid), id, '\0' .. id) end
end

-- Returns the ids of which this session is to tell.
local function swept_for(base, sid, told)
  local swept, telling = base .. 'swept', telling_of(base, sid)
  if redis.call('EXISTS', swept, telling) == 0 then return {} end
  told_of_swept(base, sid, told)
  local ids = redis.call('SMEMBERS', telling)
  local more = #ids < MOST_TOLD and redis.call('LPOP', swept, MOST_TOLD - #ids) or {}
  if #more > 0 then redis.call('SADD', telling, unpack(more)) end
  for _, id in ipairs(more) do ids[#ids + 1] = id end
  return ids
end

-- The session is over: others tell of what it has not told.
local function leave_swept(base, sid)
  local telling = telling_of(base, sid)
  local ids = redis.call('SMEMBERS', telling)
  if #ids == 0 then return end
  redis.call('RPUSH', base .. 'swept', unpack(ids))
  redis.call('PEXPIRE', base .. 'swept', SWEPT_FOR)
  redis.call('DEL', telling)
end
