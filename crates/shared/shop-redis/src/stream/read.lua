-- ARGV: group, consumer, most entries. Answers whose data it is and the entries that no consumer of the group was given.
local entries = redis.pcall('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', ARGV[3], 'STREAMS', KEYS[1], '>')
if entries and entries.err then
  if string.match(entries.err, '^%-?NOGROUP') then return { 'nogroup' } end
  return entries
end
local reply = { 'ok', run_id, epoch }
for _, entry in ipairs(entries and entries[1][2] or {}) do
  put(reply, entry, 1)
end
return reply
