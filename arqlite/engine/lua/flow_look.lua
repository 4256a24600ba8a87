-- flow_look: tell what is known of a workflow.
--
-- KEYS     flow    hash  the workflow, see lib/flows.lua
-- ARGV     fields*  of the hash; without them all but what jobs are made of
-- RETURNS  {} it is unknown, else names and values of the fields
-- COST     O(fields)
local found = {}
if ARGV[fields] then
  for i = fields, #ARGV do
    local value = redis.call('HGET', flow, ARGV[i])
    if value then
      found[#found + 1] = ARGV[i]
      found[#found + 1] = value
    end
  end
  return found
end
local all = redis.call('HGETALL', flow)
for i = 1, #all, 2 do
  if string.sub(all[i], 1, 2) ~= 't:' then
    found[#found + 1] = all[i]
    found[#found + 1] = all[i + 1]
  end
end
return found
