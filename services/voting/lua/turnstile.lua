-- The turnstile: one call answers for a whole batch of ballots of one round and notes what was recorded before it.
--
-- KEYS: hints, attempts of this minute, attempts of the minute before, verified voters of this day and of the day before
--       (hashes), then one key per solved challenge, in the order of the ballots that solved one.
-- ARGV: now in µs, epoch, lifetimes in s of hints and of solved challenges, burst per minute of voter, device, address,
--       allowance per verified voter, the ballots, then pairs of field and value to write into the hints.
-- A ballot is 39 bytes: voter (16), period and reissue (6), device (8), address (8), flags (1 = has a device, 2 = has
-- solved a challenge). Reply: a string with one letter per ballot (p pass, c challenge_required, t too_many_attempts,
-- h hint), then the hints in order. All keys share the tag {round:shard}. Times come from the caller: windows are never
-- decided here. Reads and writes are one command each for the whole batch, because a command costs more than a ballot.
local now = tonumber(ARGV[1])
local epoch, hint_lifetime, challenge_lifetime = ARGV[2], ARGV[3], ARGV[4]
local voter_limit, device_limit, address_limit = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local allowance, ballots = tonumber(ARGV[8]), ARGV[9]
local width, minute, many = 39, 60000000, 1000
local n = #ballots / width

local function part(i, first, last)
  local offset = (i - 1) * width
  return string.sub(ballots, offset + first, offset + last)
end

-- `command` once per `many` of `arguments`, whose replies are joined: Lua's stack holds only so many.
local function in_parts(command, key, arguments)
  local joined = {}
  for first = 1, #arguments, many do
    local reply = redis.call(command, key, unpack(arguments, first, math.min(first + many - 1, #arguments)))
    if type(reply) == 'table' then
      for j = 1, #reply do joined[#joined + 1] = reply[j] end
    end
  end
  return joined
end

if ARGV[10] then
  local written = {}
  for j = 10, #ARGV do written[#written + 1] = ARGV[j] end
  in_parts('HSET', KEYS[1], written)
  redis.call('EXPIRE', KEYS[1], hint_lifetime)
end
if n == 0 then return { '' } end

local persons, fields, addresses = {}, {}, {}
for i = 1, n do
  persons[i] = part(i, 1, 22)
  addresses[i] = part(i, 31, 38)
  fields[3 * i - 2] = 'v' .. part(i, 1, 16)
  fields[3 * i - 1] = 'd' .. part(i, 23, 30)
  fields[3 * i] = 'a' .. addresses[i]
end
local hints = in_parts('HMGET', KEYS[1], persons)
local this_minute = in_parts('HMGET', KEYS[2], fields)
local last_minute = in_parts('HMGET', KEYS[3], fields)
local today = in_parts('HMGET', KEYS[4], addresses)
local yesterday = in_parts('HMGET', KEYS[5], addresses)

local arrivals, touched = {}, {}
for j = 1, 3 * n do
  arrivals[fields[j]] = tonumber(this_minute[j] or last_minute[j] or '0')
end

-- GCRA in integer microseconds: `limit` events a minute, all of which may come at once. What is spent lasts a minute at
-- most, so that two minutes of attempts hold all of it.
local function spend(field, limit)
  local interval = math.floor(minute / limit)
  local arrival = math.max(arrivals[field], now)
  if arrival + interval - now > minute then return false end
  arrivals[field] = arrival + interval
  touched[field] = true
  return true
end

local solved_before = 0
local function decide(i)
  local flags = string.byte(ballots, i * width)
  local solved = false
  if flags >= 2 then
    solved_before = solved_before + 1
    if hints[i] and string.sub(hints[i], 1, 16) == epoch then return 'h' end
    solved = redis.call('SET', KEYS[5 + solved_before], '1', 'NX', 'EX', challenge_lifetime)
  elseif hints[i] and string.sub(hints[i], 1, 16) == epoch then
    return 'h'
  end
  local calm = true
  if flags % 2 == 1 then calm = spend(fields[3 * i - 1], device_limit) end
  local verified = tonumber(today[i] or '0') + tonumber(yesterday[i] or '0')
  calm = spend(fields[3 * i], address_limit + allowance * verified) and calm
  if not calm and not solved then return 'c' end
  if not spend(fields[3 * i - 2], voter_limit) then return 't' end
  return 'p'
end

local letters, reply = {}, { '' }
for i = 1, n do
  letters[i] = decide(i)
  if letters[i] == 'h' then reply[#reply + 1] = string.sub(hints[i], 17) end
end
local spent = {}
for field in pairs(touched) do
  spent[#spent + 1] = field
  spent[#spent + 1] = arrivals[field]
end
if #spent > 0 then
  in_parts('HSET', KEYS[2], spent)
  redis.call('EXPIRE', KEYS[2], 180)
end
reply[1] = table.concat(letters)
return reply
