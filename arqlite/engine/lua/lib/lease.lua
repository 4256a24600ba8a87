-- A session lives while it stands in `live` with a deadline. It dies once and is never revived: a
-- deadline of 0 means that it is over and that its jobs are being moved.
local function is_alive(live, sid)
  local deadline = redis.call('ZSCORE', live, sid)
  return deadline and tonumber(deadline) > 0
end

local function next_end_of_others(live, sid, now)
  local first = redis.call('ZRANGE', live, 0, 1, 'WITHSCORES')
  local deadline = first[1] == sid and first[4] or first[2]
  if not deadline or first[1] == sid and not first[3] then return -1 end
  return math.max(tonumber(deadline) - now, 0)
end
