-- The ends of jobs, with all that goes with them; whoever ends a job calls this and nothing less. With a step
-- of a workflow, others may end that wait for it, any number of them. Nobody runs those, so that the next turn
-- brings word of them (`swept`) to somebody who tells it.
local UNPACKED, UNTOLD = 1000, 20000

local function finish(base, jobs, ttls, tries, wait, channel, ttl, now, ids, bodies)
  local ended = {{ids = ids, bodies = bodies}}
  local has_locks = redis.call('EXISTS', base .. 'locks') == 1
  local flows = redis.call('EXISTS', base .. 'steps') == 1 and moves_of_flows(base, jobs, wait, channel, now)
  while #ended > 0 do
    local batch = table.remove(ended)
    settle(base, jobs, ttls, ttl, now, batch.ids, batch.bodies)
    if redis.call('EXISTS', tries) == 1 then redis.call('HDEL', tries, unpack(batch.ids)) end
    if has_locks then moves_of_locks(base).ended(ttl, now, batch.ids, batch.bodies) end
    announce(wait, channel, batch.ids, batch.bodies)
    if flows and not batch.is_swept then
      local more_ids, more_bodies = flows.ended(batch.ids, batch.bodies)
      for i = 1, #more_ids, UNPACKED do
        local last = math.min(i + UNPACKED - 1, #more_ids)
        redis.call('RPUSH', base .. 'swept', unpack(more_ids, i, last))
        local rest = {ids = {unpack(more_ids, i, last)}, bodies = {unpack(more_bodies, i, last)}, is_swept = true}
        ended[#ended + 1] = rest
      end
      if #more_ids > 0 then
        redis.call('LTRIM', base .. 'swept', -UNTOLD, -1)
        leave_token(base .. 'wake')
      end
    end
  end
end
