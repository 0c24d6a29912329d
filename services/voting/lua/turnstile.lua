-- The turnstile: one call answers for a whole batch of ballots and notes what was recorded before it.
--
-- KEYS: for each of n ballots five keys (hint, attempts of the voter, of the device, of the address, solved challenge),
--       then for each address the key of its verified voters, in the same order, then m hint keys to write.
-- ARGV: now in µs, epoch, hint lifetime in s, burst per minute of voter, device, address, allowance per verified voter,
--       n, m, then n times "1" or "0" (a challenge was solved), then m hint values.
-- Reply: n times a word: "pass", "challenge_required", "too_many_attempts", or "=" and the hint.
-- All keys share the tag {round:shard}. Times come from the caller: windows are never decided here.
local now = tonumber(ARGV[1])
local epoch = ARGV[2]
local lifetime = ARGV[3]
local voter_limit, device_limit, address_limit = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local allowance = tonumber(ARGV[7])
local n, m = tonumber(ARGV[8]), tonumber(ARGV[9])
local minute = 60000000

-- GCRA in integer microseconds: `limit` events a minute, all of which may come at once.
local function spend(key, limit)
  local interval = math.floor(minute / limit)
  local arrival = tonumber(redis.call('GET', key) or '0')
  if arrival < now then arrival = now end
  if arrival + interval - now > minute then return false end
  redis.call('SET', key, string.format('%.0f', arrival + interval), 'PX', 61000)
  return true
end

local function decide(i)
  local k = (i - 1) * 5
  local hint = redis.call('GET', KEYS[k + 1])
  if hint and string.sub(hint, 1, 16) == epoch then return '=' .. hint end
  local solved = ARGV[9 + i] == '1' and redis.call('SET', KEYS[k + 5], '1', 'NX', 'EX', 900)
  local calm = true
  if KEYS[k + 3] ~= KEYS[k + 2] then calm = spend(KEYS[k + 3], device_limit) end
  local verified = tonumber(redis.call('GET', KEYS[n * 5 + i]) or '0')
  calm = spend(KEYS[k + 4], address_limit + allowance * verified) and calm
  if not calm and not solved then return 'challenge_required' end
  if not spend(KEYS[k + 2], voter_limit) then return 'too_many_attempts' end
  return 'pass'
end

for j = 1, m do
  redis.call('SET', KEYS[n * 6 + j], ARGV[9 + n + j], 'EX', lifetime)
end
local reply = {}
for i = 1, n do reply[i] = decide(i) end
return reply
