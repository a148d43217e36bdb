-- now, id, permissions
local key = P .. 'lease:' .. ARGV[2]
if redis.call('EXISTS', key) == 0 then
  return 0
end
redis.call('HSET', key, 'permissions', ARGV[3])
publish({ event = 'permissions_asked', session = ARGV[2], permissions = ARGV[3] })
return expiry(ARGV[2]) > tonumber(ARGV[1]) and 1 or 0
