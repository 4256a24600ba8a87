-- enqueued: list the jobs that have not ended and that nobody runs.
--
-- KEYS     jobs    hash  id -> record
--          sched   zset  id -> due time and priority
--          tries   hash  id -> tries, crashes, ...
--          live    zset  session -> lease deadline, ms
-- ARGV     base
-- RETURNS  {now, then per job: id, 'a' available, 's' scheduled or 'u' suspended, due ms or -1, record, tries}
-- COST     O(jobs); for tests only
-- USES     clock score
local reply = {clock()}
local runs = {}
for _, sid in ipairs(redis.call('ZRANGE', live, 0, -1)) do
  for _, id in ipairs(redis.call('SMEMBERS', base .. 'run:' .. sid)) do runs[id] = true end
end
local all = redis.call('HGETALL', jobs)
for i = 1, #all, 2 do
  local id, record = all[i], all[i + 1]
  if string.sub(record, 1, 1) == 'Q' and not runs[id] then
    local place, due = 'a', -1
    local score = redis.call('ZSCORE', sched, id)
    if score then
      place, due = 's', due_of(tonumber(score))
    elseif redis.call('ZSCORE', base .. 'susp', id) then
      place = 'u'
    end
    reply[#reply + 1] = id
    reply[#reply + 1] = place
    reply[#reply + 1] = due
    reply[#reply + 1] = record
    reply[#reply + 1] = redis.call('HGET', tries, id) or ''
  end
end
return reply
