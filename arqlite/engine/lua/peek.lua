-- peek: tell where a job is. Where it is, is its state; no field can disagree with it.
--
-- KEYS     jobs    hash  id -> record
--          tries   hash  id -> tries and crashes
-- ARGV     base, id
-- RETURNS  {'absent'} or {'finished' | 'ready' | 'held' | 'scheduled' | 'suspended' | 'running', record, due or
--          ready ms, tries}
-- COST     O(holds)
-- USES     clock score settle holds lanes homes
local now = clock()
local record = redis.call('HGET', jobs, id)
if not record or is_forgotten(record, now) then return {'absent'} end
if string.sub(record, 1, 1) == 'R' then return {'finished', record, -1, ''} end
local memory = redis.call('HGET', tries, id) or ''
local home, score = homes_of(base).of(id)
if not home then return {'running', record, -1, memory} end
if home ~= 'scheduled' then return {home, record, score % PRIORITY_STEP + EPOCH, memory} end
local due = due_of(score)
return {due > now and home or 'ready', record, due, memory}
