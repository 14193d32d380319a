-- ARGV: run id, epoch. Answers the last id of the stream, then each group's name, the last id that it was given, its
-- oldest unacknowledged id or '', and how many it has not acknowledged.
if changed(ARGV[1], ARGV[2]) then return { 'changed' } end
local length = redis.call('XLEN', KEYS[1])
local last = field(redis.call('XINFO', 'STREAM', KEYS[1]), 'last-generated-id')
local reply = { 'ok', last }
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local name = field(group, 'name')
  local pending = redis.call('XPENDING', KEYS[1], name)
  local given = field(group, 'last-delivered-id')
  -- What it was not given yet. Redis' own count may be missing, and wrong for good once a part of its file was lost: it is
  -- nothing for a group that was given the last entry, and at most all of the stream.
  local lag = 0
  if given ~= last then lag = math.min(field(group, 'lag') or length, length) end
  reply[#reply + 1] = name
  reply[#reply + 1] = given
  reply[#reply + 1] = pending[2] or ''
  reply[#reply + 1] = pending[1] + lag
end
return reply
