-- What is kept of a cron job's pauses: when each began and when it ended, ms since 1970, the eldest first. One
-- that has not ended is the last.
local MOST_PAUSES = 16
local FAR_AHEAD_MS = 3 * 3600 * 1000

local function pauses_in(text)
  local moments = {}
  for moment in string.gmatch(text or '', '%d+') do moments[#moments + 1] = tonumber(moment) end
  return moments
end

local function is_on(pauses) return #pauses % 2 == 1 end

-- A pause that ended hours ahead is of a clock that has been set back since.
local function was_on(pauses, tick, now)
  for i = 2, #pauses, 2 do
    if tick >= pauses[i - 1] and tick <= pauses[i] and pauses[i] <= now + FAR_AHEAD_MS then return true end
  end
  return false
end

local function written(pauses)
  local texts = {}
  for i = math.max(#pauses - 2 * MOST_PAUSES + 1, 1), #pauses do
    texts[#texts + 1] = string.format('%.0f', pauses[i])
  end
  return table.concat(texts, ' ')
end
