-- now, kind, key, what is expected, whether the epoch is raised
local now = tonumber(ARGV[1])
local known = present(ARGV[2], ARGV[3], now)
if not known or not expected(known, ARGV[4]) then
  return 0
end
redis.call('DEL', document(ARGV[2], ARGV[3]))
redis.call('ZREM', P .. 'documents:' .. ARGV[2], ARGV[3])
changed(ARGV[5], now)
return 1
