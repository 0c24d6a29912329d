-- Records one ballot: KEYS voter, counter, ledger; ARGV ballot id, choices, receipt, time.
-- Reply: {1, index} recorded, {2, index, receipt, time} the same ballot again, {0} another ballot stands.
local known = redis.call('HMGET', KEYS[1], 'ballot', 'choices', 'index', 'receipt', 'at')
if known[1] then
  if known[1] == ARGV[1] and known[2] == ARGV[2] then return {2, tonumber(known[3]), known[4], known[5]} end
  return {0}
end
local index = redis.call('INCR', KEYS[2])
redis.call('HSET', KEYS[1], 'ballot', ARGV[1], 'choices', ARGV[2], 'receipt', ARGV[3], 'at', ARGV[4], 'index', index)
redis.call('RPUSH', KEYS[3], KEYS[1])
return {1, index}
