-- ARGV: run id, epoch, most entries that the stream may hold, the wake-up channel; then for each event its id, topic,
-- JSON, and the channel that it is mirrored on or ''.
if changed(ARGV[1], ARGV[2]) then return { 'changed' } end
if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[3]) then return { 'full' } end
local reply = { 'ok' }
for i = 5, #ARGV, 4 do
  reply[#reply + 1] = redis.call('XADD', KEYS[1], '*', 'id', ARGV[i], 'topic', ARGV[i + 1], 'json', ARGV[i + 2])
  if ARGV[i + 3] ~= '' then redis.call('PUBLISH', ARGV[i + 3], ARGV[i + 2]) end
end
redis.call('PUBLISH', ARGV[4], '')
return reply
