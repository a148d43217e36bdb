-- now, id, by, reason
local key = P .. 'lease:' .. ARGV[2]
if redis.call('EXISTS', key) == 0 then
  return 0
end
if redis.call('HSETNX', key, 'revoked_by', ARGV[3]) == 1 then
  redis.call('HSET', key, 'revoked_reason', ARGV[4])
end
local kept = redis.call('HMGET', key, 'revoked_by', 'revoked_reason')
publish({ event = 'revoked', session = ARGV[2], by = kept[1], reason = kept[2] })
return expiry(ARGV[2]) > tonumber(ARGV[1]) and 1 or 0
