-- ARGV: the epoch to begin when there is none, or when its stream is gone.
if epoch == '' or redis.call('EXISTS', KEYS[1]) == 0 then
  epoch = ARGV[1]
  if redis.call('EXISTS', KEYS[1]) == 0 then
    -- An empty stream: from here on, a missing one means that it was lost.
    redis.call('XDEL', KEYS[1], redis.call('XADD', KEYS[1], '*', 'epoch', epoch))
  end
  redis.call('SET', KEYS[2], epoch)
end
return { run_id, epoch }
