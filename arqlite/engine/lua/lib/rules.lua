-- What was settled for a queue beside its jobs: by operators, and by the settings of its workers. For most
-- queues nothing was, and one look tells so.
--
-- A limit is a text: how many, for a rate the ms of its period, and what it is partitioned by if it is. What
-- an operator has set stands in a field of its own (`.set`) and goes before what the workers declare.
local LIMITS = {'global', 'global.set', 'rate', 'rate.set'}
-- A moment that never comes, exact in a double.
local NEVER = 9007199254740991

local function limits_in(texts)
  local global, rate
  local most, part = string.match(texts[2] or texts[1] or '', '^(%d+) ?(.*)$')
  if most then global = {most = tonumber(most), part = part} end
  local allowed, ms, by = string.match(texts[4] or texts[3] or '', '^(%d+) (%d+) ?(.*)$')
  if allowed then rate = {most = tonumber(allowed), ms = tonumber(ms), part = by} end
  return global, rate
end

local function part_of(global, rate)
  return global and global.part ~= '' and global.part or rate and rate.part or ''
end

-- Write limits where they can be kept together. Returns nothing then, else what each is partitioned by.
local function settle_limits(base, texts)
  local meta, lanewait = base .. 'meta', base .. 'lanewait'
  local global, rate = limits_in(texts)
  if global and rate and global.part ~= '' and rate.part ~= '' and global.part ~= rate.part then
    return global.part, rate.part
  end
  local part = part_of(limits_in(redis.call('HMGET', meta, unpack(LIMITS))))
  for i, name in ipairs(LIMITS) do
    if texts[i] then redis.call('HSET', meta, name, texts[i]) else redis.call('HDEL', meta, name) end
  end
  if part_of(global, rate) ~= part then redis.call('HINCRBY', meta, 'gen', 1) end
  -- Lanes that were closed may be open now: all of them are looked at again.
  if redis.call('EXISTS', lanewait) == 1 then
    redis.call('ZUNIONSTORE', lanewait, 1, lanewait, 'WEIGHTS', 0)
  end
end

-- `since` is how often the queue had been resumed for a session that started paused; '' is any other.
local function rules_of(base, node, since)
  local meta = base .. 'meta'
  if redis.call('EXISTS', meta) == 0 then return nil end
  local found = redis.call('HMGET', meta, 'ver', 'paused', 'paused@' .. node, 'resumes', 'resumes@' .. node,
    'limit', 'limit@' .. node, 'stop', 'stop@' .. node, 'gen', 'lanes', unpack(LIMITS))
  local number = {}
  for i = 1, 11 do number[i] = tonumber(found[i] or 0) end
  local rules = {}
  rules.version, rules.resumes, rules.generation = number[1], number[4] + number[5], number[10]
  rules.limit, rules.stop = tonumber(found[7] or found[6] or -1), math.max(number[8], number[9])
  rules.generation_of_lanes = number[11]
  rules.is_paused = (found[3] or found[2]) == '1' or since ~= '' and tonumber(since) == rules.resumes
  rules.global, rules.rate = limits_in({found[12], found[13], found[14], found[15]})
  rules.part = part_of(rules.global, rules.rate)
  return rules
end

-- What a worker hears of it.
local function told_of(rules, unsorted)
  return {rules.version, rules.is_paused and 1 or 0, rules.limit, rules.stop,
    (rules.global or rules.rate) and 1 or 0, rules.rate and 1 or 0, rules.resumes, unsorted,
    rules.generation, rules.part}
end
