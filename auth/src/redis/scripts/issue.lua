-- now, id, life of the key, expiry, number of digests, digests, then fields and values
local now, id = tonumber(ARGV[1]), ARGV[2]
local digests = tonumber(ARGV[5])
local key = P .. 'ticket:' .. id
unseal(now)
if redis.call('EXISTS', key) == 1 then
  return 'duplicate'
end
for at = 6, 5 + digests do
  if redis.call('EXISTS', P .. 'secret:' .. ARGV[at]) == 1 then
    return 'taken'
  end
end
for at = 6, 5 + digests do
  redis.call('SET', P .. 'secret:' .. ARGV[at], id, 'PX', ARGV[3])
end
redis.call('HSET', key, 'digests', table.concat(ARGV, ' ', 6, 5 + digests))
for at = 6 + digests, #ARGV, 2 do
  redis.call('HSET', key, ARGV[at], ARGV[at + 1])
  if ARGV[at] == 'sealed' then
    redis.call('ZADD', P .. 'sealed', ARGV[4], id)
  end
end
redis.call('PEXPIRE', key, ARGV[3])
redis.call('ZADD', P .. 'tickets', ARGV[4], id)
return 'issued'
