-- now, id
local key = P .. 'ticket:' .. ARGV[2]
local ticket = redis.call('HMGET', key, 'expires_at', 'used_at', 'withdrawn_at')
if not ticket[1] or ticket[2] or ticket[3] or tonumber(ticket[1]) <= tonumber(ARGV[1]) then
  return 0
end
redis.call('HSET', key, 'withdrawn_at', ARGV[1])
redis.call('HDEL', key, 'sealed')
redis.call('ZREM', P .. 'sealed', ARGV[2])
return 1
