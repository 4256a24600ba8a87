-- foresee: tell which of some new jobs would be kept out of their queue now; nothing is stored.
--
-- KEYS     jobs    hash  id -> record
-- ARGV     base
--          questions*  per job: id, then of a unique one its digest, period, states and since, as in enqueue; ''
--                  four times of any other
-- RETURNS  per job that would be its position (from 1) if its id is in use, or {position, id, state} of the
--          equal job; they are not compared with each other
-- COST     O(n); per equal job O(sessions)
-- USES     clock score settle holds lanes homes locks conflict
local now = clock()
local locks = moves_of_locks(base)
local refused = {}
for i = questions, #ARGV, 5 do
  local place, digest = (i - questions) / 5 + 1, ARGV[i + 1]
  local old = redis.call('HGET', jobs, ARGV[i])
  if old and not is_forgotten(old, now) then
    refused[#refused + 1] = place
  elseif digest ~= '' then
    local period, by_due = tonumber(ARGV[i + 2]), ARGV[i + 4] == 's'
    local equal, state = conflict_of(base, jobs, locks, digest, now, period, ARGV[i + 3], by_due, {})
    if equal then refused[#refused + 1] = {place, equal, state} end
  end
end
return refused
