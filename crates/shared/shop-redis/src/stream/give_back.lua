-- ARGV: run id, epoch, group, consumer; then for each entry its id, the idle time in ms that it shall appear to have, and
-- the number of deliveries that shall count. What another consumer has taken over meanwhile is left to it.
if changed(ARGV[1], ARGV[2]) then return { 'changed' } end
for i = 5, #ARGV, 3 do
  local pending = redis.call('XPENDING', KEYS[1], ARGV[3], ARGV[i], ARGV[i], 1)
  if pending[1] and pending[1][2] == ARGV[4] then
    redis.call('XCLAIM', KEYS[1], ARGV[3], ARGV[4], 0, ARGV[i],
      'IDLE', ARGV[i + 1], 'RETRYCOUNT', ARGV[i + 2], 'JUSTID')
  end
end
return { 'ok' }
