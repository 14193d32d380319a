-- ARGV: run id, epoch, the id below which everything goes.
if changed(ARGV[1], ARGV[2]) then return { 'changed' } end
return { 'ok', redis.call('XTRIM', KEYS[1], 'MINID', '=', ARGV[3]) }
