-- ARGV: group, consumer, least idle time in ms, most entries, where the last scan ended. Answers whose data it is, where
-- this scan ended, and the entries that are now this consumer's, each with the number of its deliveries.
local claimed = redis.pcall('XAUTOCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[5], 'COUNT', ARGV[4])
if claimed.err then
  if string.match(claimed.err, '^%-?NOGROUP') then return { 'nogroup' } end
  return claimed
end
local reply = { 'ok', run_id, epoch, claimed[1] }
for _, entry in ipairs(claimed[2]) do
  -- Redis before 7 leaves a hole for an entry that was deleted from the stream.
  if entry then
    local pending = redis.call('XPENDING', KEYS[1], ARGV[1], entry[1], entry[1], 1)
    put(reply, entry, pending[1] and pending[1][4] or 1)
  end
end
return reply
