-- watch: hear by what the ledger knows this Redis, and how far rows are behind; and tell how far those of a session are.
--
-- KEYS     marker   hash    id, beat
--          lags     hash    session -> how far its rows are behind, in ms, and when it said so
--          spilled  stream  what recorders had no room for: rows are behind as long as something is there
-- ARGV     sid     '' tells nothing
--          lag_ms  0 is not behind
-- RETURNS  {marker or '', beat, the longest lag that was told lately, or the age of what was spilled first, ms}
-- COST     O(sessions that are behind)
-- USES     clock
local LASTS_MS = 5000 -- a session that says no more is over; its rows come from elsewhere, if at all
local now, longest = clock(), 0
if sid ~= '' and tonumber(lag_ms) > 0 then
  redis.call('HSET', lags, sid, lag_ms .. ':' .. string.format('%.0f', now))
elseif sid ~= '' then
  redis.call('HDEL', lags, sid)
end
local told = redis.call('HGETALL', lags)
for i = 1, #told, 2 do
  local lag, at = string.match(told[i + 1], '^(%d+):(%d+)$')
  if now - tonumber(at) > LASTS_MS then
    redis.call('HDEL', lags, told[i])
  else
    longest = math.max(longest, tonumber(lag))
  end
end
local first = redis.call('XRANGE', spilled, '-', '+', 'COUNT', 1)[1]
if first then longest = math.max(longest, now - tonumber(string.match(first[1], '^%d+')), 1) end
local known = redis.call('HMGET', marker, 'id', 'beat')
return {known[1] or '', tonumber(known[2] or 0), longest}
