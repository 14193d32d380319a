-- KEYS[1] the value, KEYS[2] its generation. Answers the generation, and the value with the ms that it may still be used.
local generation = redis.call('GET', KEYS[2]) or ''
local value = redis.call('GET', KEYS[1])
if not value then return { generation } end
return { generation, redis.call('PTTL', KEYS[1]), value }
