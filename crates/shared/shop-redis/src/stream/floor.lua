-- ARGV: run id, epoch. Answers the last id of the stream, then each group's name, the last id that it was given, its
-- oldest unacknowledged id or '', and how many it has not acknowledged.
if changed(ARGV[1], ARGV[2]) then return { 'changed' } end
local length = redis.call('XLEN', KEYS[1])
local reply = { 'ok', field(redis.call('XINFO', 'STREAM', KEYS[1]), 'last-generated-id') }
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local name = field(group, 'name')
  local pending = redis.call('XPENDING', KEYS[1], name)
  -- Redis before 7 does not count what a group was not given yet: at most all of the stream.
  local lag = field(group, 'lag') or length
  reply[#reply + 1] = name
  reply[#reply + 1] = field(group, 'last-delivered-id')
  reply[#reply + 1] = pending[2] or ''
  reply[#reply + 1] = pending[1] + lag
end
return reply
