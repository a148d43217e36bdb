-- now, id
local key = P .. 'ticket:' .. ARGV[2]
local ticket = redis.call('HMGET', key, 'expires_at', 'used_at', 'withdrawn_at')
if not ticket[1] or ticket[3] then
  return 0
end
if ticket[2] then
  -- It is still recognised as used.
  redis.call('HSET', key, 'withdrawn_at', ARGV[1])
  return 0
end
if tonumber(ticket[1]) <= tonumber(ARGV[1]) then
  return 0
end
redis.call('HSET', key, 'withdrawn_at', ARGV[1])
redis.call('HDEL', key, 'sealed')
redis.call('ZREM', P .. 'sealed', ARGV[2])
return 1
