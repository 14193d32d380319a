-- KEYS[1] the stream, KEYS[2] its epoch. Whose data this is: the process, the history it replicates, and a word that
-- only a flush or a rollback takes away. All of it is read in the same step as what follows.
local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
  .. '-' .. string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
local epoch = redis.call('GET', KEYS[2]) or ''
local function changed(expected_run_id, expected_epoch)
  return run_id ~= expected_run_id or epoch ~= expected_epoch or redis.call('EXISTS', KEYS[1]) == 0
end
-- The value of a field in a flat list of names and values.
local function field(list, name)
  for i = 1, #list, 2 do
    if list[i] == name then return list[i + 1] end
  end
end
-- Appends what a reader needs of one entry.
local function put(reply, entry, deliveries)
  local fields = entry[2] or {}
  for _, value in ipairs({
    entry[1], field(fields, 'id') or '', field(fields, 'topic') or '', field(fields, 'json') or '', deliveries,
  }) do
    reply[#reply + 1] = value
  end
end
