-- Take the `want` jobs that come first, out of `ready` and of the holds that the claimer has room for.
-- `rooms` are {name, most, pool}; `left` tells how many jobs all holds of a pool may give together.
local function claim_in_order(base, holds, ready, want, rooms, left)
  local sources = {}
  for _, room in ipairs(rooms) do
    if room.most > 0 then
      sources[#sources + 1] = {key = hold_of(base, room.name), name = room.name, pool = room.pool, most = room.most}
    end
  end
  -- Last, so that of two with one score the one that was held before goes first.
  sources[#sources + 1] = {key = ready, most = want}
  for _, source in ipairs(sources) do
    source.jobs = redis.call('ZRANGE', source.key, 0, math.min(source.most, want) - 1, 'WITHSCORES')
    source.taken = 0
    source.score = tonumber(source.jobs[2])
  end

  local ids, scores = {}, {}
  while #ids < want do
    local first
    for _, source in ipairs(sources) do
      local may = not source.pool or left[source.pool] > 0
      if may and source.score and (not first or source.score < first.score) then first = source end
    end
    if not first then break end
    ids[#ids + 1] = first.jobs[2 * first.taken + 1]
    scores[#ids] = first.score
    first.taken = first.taken + 1
    first.score = tonumber(first.jobs[2 * first.taken + 2])
    if first.pool then left[first.pool] = left[first.pool] - 1 end
  end

  for _, source in ipairs(sources) do
    if source.taken > 0 then
      redis.call('ZREMRANGEBYRANK', source.key, 0, source.taken - 1)
      if source.name then close_if_empty(base, holds, source.name) end
    end
  end
  return ids, scores
end
