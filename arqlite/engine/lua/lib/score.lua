-- Scores are exact in a double: 11 bits of priority and 42 bits of ms since 2020. They are numbers
-- all the way; a string built with '..' would keep 14 digits only.
local EPOCH, PRIORITY_STEP, DUE_STEP = 1577836800000, 4398046511104, 2048

local function since_epoch(ms)
  return math.min(math.max(ms - EPOCH, 0), PRIORITY_STEP - 1)
end

local function ready_score(priority, ms)
  return priority * PRIORITY_STEP + since_epoch(ms)
end

local function sched_score(priority, due_ms)
  return since_epoch(due_ms) * DUE_STEP + priority
end

local function due_of(score)
  return math.floor(score / DUE_STEP) + EPOCH
end

local function priority_of(record)
  return string.byte(record, 2) or 0
end
