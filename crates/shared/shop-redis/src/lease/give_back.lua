-- KEYS[1] as in take. ARGV: us that one request takes to grow back, how many were not used, the moment that take answered.
-- What has grown back by itself meanwhile is not given twice.
local whole = tonumber(redis.call('GET', KEYS[1]) or 0)
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval = tonumber(ARGV[1])
local unused = math.min(tonumber(ARGV[2]), math.floor((tonumber(ARGV[3]) - now) / interval))
if whole <= now or unused <= 0 then return 0 end
whole = whole - unused * interval
if whole <= now then return redis.call('DEL', KEYS[1]) end
redis.call('SET', KEYS[1], string.format('%.0f', whole), 'PX', math.ceil((whole - now) / 1000))
return 1
