-- where: tell the states of jobs, with what is remembered of them and who runs them.
--
-- KEYS     jobs    hash  id -> record
--          tries   hash  id -> tries and crashes
-- ARGV     base
--          full    '1' to have the records, too, and to find those that ended; '0' for jobs that had not
--                  ended a moment ago
--          ids*    the jobs
-- RETURNS  {the clock; per job: its state as a letter or '' when it is nowhere, when it is or was due (ms since
--          1970) or -1, tries, the session that runs it or '', and its record if asked for, else ''}
-- COST     O(n (holds + sessions))
-- USES     clock score settle holds lanes homes
local now = clock()
local homes, asked = homes_of(base), {}
for i = ids, #ARGV do asked[#asked + 1] = ARGV[i] end
if #asked == 0 then return {now} end
local records = full == '1' and redis.call('HMGET', jobs, unpack(asked)) or {}
local names, scores = homes.all_of(asked)
local memories = redis.call('EXISTS', tries) == 1 and redis.call('HMGET', tries, unpack(asked)) or {}
local owners

local answer = {now}
for i, id in ipairs(asked) do
  local record, state, due, owner = records[i] or '', '', -1, ''
  if string.sub(record, 1, 1) == 'R' then
    if is_forgotten(record, now) then record = '' else state = string.sub(record, 15, 15) end
  elseif names[i] then
    state, due = homes.letter_in(names[i], scores[i], memories[i], now)
  elseif full == '0' or record ~= '' then
    owners = owners or homes.owners_of(asked)
    if owners[i] then state, owner = 'e', owners[i] end
  end
  for _, part in ipairs({state, due, memories[i] or '', owner, record}) do answer[#answer + 1] = part end
end
return answer
