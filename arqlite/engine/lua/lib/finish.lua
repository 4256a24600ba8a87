-- The ends of jobs, with all that goes with them; whoever ends a job calls this and nothing less.
local function finish(base, jobs, ttls, tries, wait, channel, ttl, now, ids, bodies)
  while #ids > 0 do
    settle(base, jobs, ttls, ttl, now, ids, bodies)
    if redis.call('EXISTS', tries) == 1 then redis.call('HDEL', tries, unpack(ids)) end
    announce(wait, channel, ids, bodies)
    if redis.call('EXISTS', base .. 'steps') == 0 then return end
    ids, bodies = moves_of_flows(base, jobs, wait, channel, now).ended(ids, bodies)
  end
end
