-- The turnstile: one call answers for what one shard of a round knows of a batch, and notes what was recorded before it.
--
-- KEYS: hints, attempts of this minute, attempts of the minute before, verified voters of this day and of the day before
--       (hashes), then one key per solved challenge, in the order of the ballots that solved one.
-- ARGV: now in µs, epoch, lifetimes in s of hints and of solved challenges, burst per minute of voter, device, address,
--       allowance per verified voter, the ballots, then pairs of field and value to write into the hints.
-- A ballot is 39 bytes: voter (16), period and reissue (6), device (8), address (8), flags: what of it this shard is
-- asked about (4 the person, 1 the device, 8 the address; all of it where the round has one shard), 2 where a challenge
-- was solved, 16 where what was spent is given back instead. Reply: a string with one letter per ballot (p pass, s pass
-- with a challenge solved, c challenge_required, t too_many_attempts, h hint), then the hints in order. All keys share the
-- tag {round:shard}. Times come from the caller: windows are never decided here. Reads and writes are one command each
-- for the whole batch, because a command costs more than a ballot.
local now = tonumber(ARGV[1])
local epoch, hint_lifetime, challenge_lifetime = ARGV[2], ARGV[3], ARGV[4]
local voter_limit, device_limit, address_limit = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local allowance, ballots = tonumber(ARGV[8]), ARGV[9]
local width, minute, many = 39, 60000000, 1000
local n = #ballots / width

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

-- The fields of each ballot that this shard is asked about; false for the others.
local voters, devices, addresses, hint_places, persons, fields, known = {}, {}, {}, {}, {}, {}, {}
for i = 1, n do
  local offset, flags = (i - 1) * width, string.byte(ballots, i * width)
  voters[i], devices[i], addresses[i] = false, false, false
  if flags % 8 >= 4 then
    voters[i] = 'v' .. string.sub(ballots, offset + 1, offset + 16)
    fields[#fields + 1] = voters[i]
    persons[#persons + 1] = string.sub(ballots, offset + 1, offset + 22)
    hint_places[i] = #persons
  end
  if flags % 2 == 1 then
    devices[i] = 'd' .. string.sub(ballots, offset + 23, offset + 30)
    fields[#fields + 1] = devices[i]
  end
  if flags % 16 >= 8 then
    addresses[i] = 'a' .. string.sub(ballots, offset + 31, offset + 38)
    fields[#fields + 1] = addresses[i]
    known[#known + 1] = string.sub(ballots, offset + 31, offset + 38)
  end
end
local hints = in_parts('HMGET', KEYS[1], persons)
local this_minute = in_parts('HMGET', KEYS[2], fields)
local last_minute = in_parts('HMGET', KEYS[3], fields)
local today = in_parts('HMGET', KEYS[4], known)
local yesterday = in_parts('HMGET', KEYS[5], known)

local arrivals, touched, address_limits = {}, {}, {}
for j = 1, #fields do
  arrivals[fields[j]] = tonumber(this_minute[j] or last_minute[j] or '0')
end
for j = 1, #known do
  address_limits['a' .. known[j]] = address_limit + allowance * (tonumber(today[j] or '0') + tonumber(yesterday[j] or '0'))
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

local function give_back(field, limit)
  if not field then return end
  arrivals[field] = arrivals[field] - math.floor(minute / limit)
  touched[field] = true
end

local solved_before = 0
local function decide(i)
  local flags = string.byte(ballots, i * width)
  if flags >= 16 then
    give_back(voters[i], voter_limit)
    give_back(devices[i], device_limit)
    give_back(addresses[i], address_limits[addresses[i]])
    return 'p'
  end
  local challenged, solved = flags % 4 >= 2, false
  if challenged then solved_before = solved_before + 1 end
  local hint = hint_places[i] and hints[hint_places[i]]
  if hint and string.sub(hint, 1, 16) == epoch then return 'h' end
  if challenged then
    solved = redis.call('SET', KEYS[5 + solved_before], '1', 'NX', 'EX', challenge_lifetime)
  end
  local calm = true
  if devices[i] then calm = spend(devices[i], device_limit) end
  if addresses[i] then calm = spend(addresses[i], address_limits[addresses[i]]) and calm end
  if not calm and not solved then return 'c' end
  if voters[i] and not spend(voters[i], voter_limit) then return 't' end
  return solved and 's' or 'p'
end

local letters, reply = {}, { '' }
for i = 1, n do
  letters[i] = decide(i)
  if letters[i] == 'h' then reply[#reply + 1] = string.sub(hints[hint_places[i]], 17) end
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
