-- scoop: look at the oldest packets of what was spilled, unless another reader is at it.
--
-- KEYS     spilled  stream  packets, each in the field p
--          scooper  text    who reads it now; expires
-- ARGV     reader, lease_ms, limit
-- RETURNS  {per packet its id and the packet}; {} also while another reads
-- COST     O(limit)
local other = redis.call('GET', scooper)
if other and other ~= reader then return {} end
local entries = redis.call('XRANGE', spilled, '-', '+', 'COUNT', limit)
if #entries == 0 then
  redis.call('DEL', scooper)
  return {}
end
redis.call('SET', scooper, reader, 'PX', lease_ms)
local answer = {}
for _, entry in ipairs(entries) do
  answer[#answer + 1] = entry[1]
  answer[#answer + 1] = entry[2][2]
end
return answer
