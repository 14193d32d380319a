-- KEYS: value and generation of each key in turn. ARGV: the life of a generation in ms; the channel and what to say
-- there, if anybody listens.
-- A generation is a moment, so that no two are alike even after one was forgotten.
local now = redis.call('TIME')
for i = 1, #KEYS, 2 do
  redis.call('DEL', KEYS[i])
  redis.call('SET', KEYS[i + 1], now[1] .. '.' .. now[2], 'PX', ARGV[1])
end
if not ARGV[2] then return 0 end
return redis.call('PUBLISH', ARGV[2], ARGV[3])
