-- ARGV: group, idle time in ms. Removes consumers of ended pods. Never one that holds entries: they would go with it.
local removed = 0
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  if field(consumer, 'pending') == 0 and field(consumer, 'idle') > tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], field(consumer, 'name'))
    removed = removed + 1
  end
end
return { 'ok', removed }
