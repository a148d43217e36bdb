-- now, kind, key, what is expected, whether the epoch is raised, value, then expiry and life of the key
local now = tonumber(ARGV[1])
if not expected(present(ARGV[2], ARGV[3], now), ARGV[4]) then
  return false
end
local key = document(ARGV[2], ARGV[3])
local version = upto(raise('fence', now))
redis.call('DEL', key)
redis.call('HSET', key, 'value', ARGV[6], 'version', version)
if ARGV[7] then
  redis.call('HSET', key, 'expires_at', ARGV[7])
  redis.call('PEXPIRE', key, ARGV[8])
end
redis.call('ZADD', P .. 'documents:' .. ARGV[2], ARGV[7] or '+inf', ARGV[3])
changed(ARGV[5], now)
return version
