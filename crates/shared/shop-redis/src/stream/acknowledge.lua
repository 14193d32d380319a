-- ARGV: run id, epoch, group, ids. In other data the same id may be another event, which nobody has handled.
if changed(ARGV[1], ARGV[2]) then return { 'changed' } end
local count = 0
for i = 4, #ARGV do
  count = count + redis.call('XACK', KEYS[1], ARGV[3], ARGV[i])
end
return { 'ok', count }
