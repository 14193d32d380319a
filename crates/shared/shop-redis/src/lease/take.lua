-- KEYS[1] when the allowance is whole again, in us since 1970. ARGV: us that one request takes to grow back, requests that
-- the allowance holds, requests that are wanted. The arithmetic is that of shop_types::rate::Meter.
-- Answers: granted, us until whole again, us until the next one can be granted, the new moment.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, requests, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local start = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local span = interval * requests
local granted = math.min(math.floor(math.max(span - (start - now), 0) / interval), wanted)
if granted == 0 then return { 0, start - now, start + interval - now - span, start } end
local whole = start + granted * interval
-- Lua would write such a number with 14 digits only.
redis.call('SET', KEYS[1], string.format('%.0f', whole), 'PX', math.ceil((whole - now) / 1000))
return { granted, whole - now, 0, whole }
