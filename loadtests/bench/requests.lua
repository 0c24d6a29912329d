-- wrk's script: takes prepared requests from a file and sends each exactly once (or in turn, for limits that keep nothing).
-- Arguments after `--`: file of requests separated by NUL bytes, seconds of sending, "once" or "again".
-- When the time is over, or the requests are, a connection gets the beginning of a request that never ends: it stays
-- silent, answers still on their way are counted, and "answered by wrk" equals "decided by the server".
local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long seconds; long nanoseconds; } bench_time;
  int clock_gettime(int clock, bench_time *time);
]]
local time = ffi.new("bench_time")
local SILENCE = "POST / HTTP/1.1\r\n"
local threads = {}

local function now()
  ffi.C.clock_gettime(1, time)
  return tonumber(time.seconds) + tonumber(time.nanoseconds) / 1e9
end

function setup(thread)
  table.insert(threads, thread)
end

local requests, next_index, checked = {}, 1, false
local duration_s, again

function init(arguments)
  duration_s = tonumber(arguments[2])
  again = arguments[3] == "again"
  local file = assert(io.open(arguments[1], "rb"))
  for request in file:read("*a"):gmatch("%Z+") do
    requests[#requests + 1] = request
  end
  file:close()
  -- Globals, because only they can be asked for by `done`.
  sent, started_s, ended_s, exhausted = 0, 0, 0, 0
  -- Sending begins now: whoever reads this knows when it will be over.
  io.write("bench is ready\n")
  io.flush()
end

function request()
  if not checked then
    -- wrk asks once before it starts, to see whether the script works; nothing of that is sent.
    checked = true
    return requests[1]
  end
  if ended_s > 0 then return SILENCE end
  local moment = now()
  if sent == 0 then started_s = moment end
  if next_index > #requests and again then next_index = 1 end
  if next_index > #requests then exhausted = 1 end
  if exhausted == 1 or moment - started_s >= duration_s then
    ended_s = moment
    return SILENCE
  end
  local prepared = requests[next_index]
  next_index = next_index + 1
  sent = sent + 1
  return prepared
end

function done(summary, latency, _)
  local sum = { sent = 0, exhausted = 0, seconds = 0 }
  for _, thread in ipairs(threads) do
    sum.sent = sum.sent + thread:get("sent")
    sum.exhausted = math.max(sum.exhausted, thread:get("exhausted"))
    local ended = thread:get("ended_s")
    if ended == 0 then ended = thread:get("started_s") + summary.duration / 1e6 end
    sum.seconds = math.max(sum.seconds, ended - thread:get("started_s"))
  end
  local errors = summary.errors
  io.write(string.format(
    'bench: {"sent":%d,"answered":%d,"refused":%d,"broken":%d,"exhausted":%s,"seconds":%.6f,"p50_ms":%.4f,"p99_ms":%.4f}\n',
    sum.sent, summary.requests, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    sum.exhausted == 1 and "true" or "false", sum.seconds,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
