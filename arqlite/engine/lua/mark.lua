-- mark: plant the marker by which the ledger knows this Redis, or let it beat, unless somebody else has moved it.
--
-- KEYS     marker  hash  id, beat, remember
-- ARGV     expected  the marker that is there; '' is none
--          expected_beat  its beat
--          id, beat  from now on
--          remember  ms for which ends are remembered even if nothing of them is kept
-- RETURNS  1 done, 0 it is another one, or has beaten meanwhile
-- COST     O(1)
local known = redis.call('HMGET', marker, 'id', 'beat')
if (known[1] or '') ~= expected or (known[2] or '0') ~= expected_beat then return 0 end
redis.call('HSET', marker, 'id', id, 'beat', beat, 'remember', remember)
return 1
