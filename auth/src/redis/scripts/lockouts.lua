-- now
local now = tonumber(ARGV[1])
local answer = {}
for _, name in ipairs(redis.call('ZREVRANGEBYSCORE', P .. 'locks', '+inf', above(now))) do
  local known = redis.call('HMGET', P .. 'failures:' .. name, 'failures', 'failed_at', 'locked_until')
  if known[1] and tonumber(known[2]) <= now and tonumber(known[3]) > now then
    table.insert(answer, { name, known[1], known[3] })
  end
end
return answer
