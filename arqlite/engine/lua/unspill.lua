-- unspill: forget packets that were scooped and written.
--
-- KEYS     spilled  stream  packets, each in the field p
-- ARGV     ids*
-- RETURNS  how many were there
-- COST     O(ids)
local gone = 0
for i = ids, #ARGV do gone = gone + redis.call('XDEL', spilled, ARGV[i]) end
return gone
