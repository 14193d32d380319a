-- ARGV: group, consumer, least idle time in ms, most entries, where the last scan ended. Answers whose data it is, where
-- this scan ended, and the entries that are now this consumer's, each with the number of its deliveries, this one included.
-- JUSTID leaves that number as it is: an answer that is lost is no delivery.
local claimed = redis.pcall('XAUTOCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[5], 'COUNT', ARGV[4], 'JUSTID')
if claimed.err then
  if string.match(claimed.err, '^%-?NOGROUP') then return { 'nogroup' } end
  return claimed
end
local reply = { 'ok', run_id, epoch, claimed[1] }
for _, id in ipairs(claimed[2]) do
  local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1)[1]
  -- Redis before 7 still names an entry that was deleted from the stream.
  if entry then put(reply, entry, (pending and pending[4] or 0) + 1) end
end
return reply
