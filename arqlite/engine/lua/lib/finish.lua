-- The ends of jobs, with all that goes with them; whoever ends a job calls this and nothing less.
local function finish(base, jobs, ttls, tries, wait, channel, ttl, now, ids, bodies)
  settle(base, jobs, ttls, ttl, now, ids, bodies)
  if redis.call('EXISTS', tries) == 1 then redis.call('HDEL', tries, unpack(ids)) end
  if redis.call('EXISTS', base .. 'locks') == 1 then moves_of_locks(base).ended(ttl, now, ids, bodies) end
  announce(wait, channel, ids, bodies)
end
