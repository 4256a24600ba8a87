-- compare: tell where jobs are as they are stored, ends that have expired and are only remembered included.
--
-- KEYS     jobs    hash  id -> record
--          tries   hash  id -> tries and crashes
-- ARGV     base
--          ids*    the jobs
-- RETURNS  per job: 'absent', 'waiting', 'running' or 'over', its state as a letter or '', when it is or was due (ms since
--          1970) or -1, tries, and the record of one that is over, else ''
-- COST     O(n (holds + sessions))
-- USES     clock score settle holds lanes homes
local now = clock()
local homes, asked = homes_of(base), {}
for i = ids, #ARGV do asked[#asked + 1] = ARGV[i] end
if #asked == 0 then return {} end
local records = redis.call('HMGET', jobs, unpack(asked))
local names, scores = homes.all_of(asked)
local memories = redis.call('EXISTS', tries) == 1 and redis.call('HMGET', tries, unpack(asked)) or {}
local owners

local answer = {}
for i in ipairs(asked) do
  local where, state, due, record = 'absent', '', -1, records[i]
  if record and string.sub(record, 1, 1) == 'R' then
    where, state = 'over', string.sub(record, 15, 15)
  elseif record and names[i] then
    where = 'waiting'
    state, due = homes.letter_in(names[i], scores[i], memories[i], now)
  elseif record then
    owners = owners or homes.owners_of(asked)
    if owners[i] then where, state = 'running', 'e' end
  end
  for _, part in ipairs({where, state, due, memories[i] or '', where == 'over' and record or ''}) do
    answer[#answer + 1] = part
  end
end
return answer
