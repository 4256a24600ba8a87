-- spill: keep what the ledger's recorders have no room for, behind what is there; beyond a limit the oldest goes.
--
-- KEYS     spilled  stream  packets, each in the field p
-- ARGV     limit  how many packets may be there
--          packets*
-- RETURNS  how many had to go
-- COST     O(packets)
for i = packets, #ARGV do redis.call('XADD', spilled, '*', 'p', ARGV[i]) end
return redis.call('XTRIM', spilled, 'MAXLEN', limit)
