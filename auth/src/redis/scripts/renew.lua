-- now, id, fence, expiry, life of the key
local key = P .. 'lease:' .. ARGV[2]
local known = redis.call('HMGET', key, 'fence', 'revoked_by', 'revoked_reason', 'permissions')
if known[1] ~= ARGV[3] or expiry(ARGV[2]) <= tonumber(ARGV[1]) then
  return {}
end
redis.call('ZADD', P .. 'leases', ARGV[4], ARGV[2])
redis.call('PEXPIRE', key, ARGV[5])
return { redis.call('GET', P .. 'epoch') or '0', known[2], known[3], known[4] }
