-- ARGV: run id, epoch, idle time in ms, then the groups that stay. Removes the others that no consumer asked for within the
-- idle time; answers their names.
if changed(ARGV[1], ARGV[2]) then return { 'changed' } end
local stays = {}
for i = 4, #ARGV do stays[ARGV[i]] = true end
local reply = { 'ok' }
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local name = field(group, 'name')
  local abandoned = not stays[name]
  for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], name)) do
    if field(consumer, 'idle') <= tonumber(ARGV[3]) then abandoned = false end
  end
  if abandoned then
    redis.call('XGROUP', 'DESTROY', KEYS[1], name)
    reply[#reply + 1] = name
  end
end
return reply
