-- tally: count the jobs that ended, by how, page by page; no record leaves the server.
--
-- KEYS     jobs    hash  id -> record
-- ARGV     cursor  where to go on, '0' at first
--          page    about how many jobs to look at
-- RETURNS  {where to go on or '0', completed, discarded, cancelled}
-- COST     O(page)
-- USES     clock settle
local now = clock()
local counts = {S = 0, F = 0, C = 0}
local found = redis.call('HSCAN', jobs, cursor, 'COUNT', page)
for i = 2, #found[2], 2 do
  local record = found[2][i]
  local letter = string.sub(record, 15, 15)
  if string.sub(record, 1, 1) == 'R' and counts[letter] and not is_forgotten(record, now) then
    counts[letter] = counts[letter] + 1
  end
end
return {found[1], counts.S, counts.F, counts.C}
