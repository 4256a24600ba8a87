-- ends: tell which jobs have ended, without their results.
--
-- KEYS     jobs    hash  id -> record
-- ARGV     ids*    the jobs
-- RETURNS  per job until when its end is kept, ms since 1970; 0 it has not ended, -1 it is unknown
-- COST     O(n)
-- USES     clock settle
local now = clock()
local found = {}
for i = ids, #ARGV do
  local record = redis.call('HGET', jobs, ARGV[i])
  local until_ms = -1
  if record and not is_forgotten(record, now) then
    until_ms = string.sub(record, 1, 1) == 'R' and tonumber(string.sub(record, 2, 14)) or 0
  end
  found[#found + 1] = until_ms
end
return found
