-- free failures of everybody, then names
for at = 2, #ARGV do
  local name = ARGV[at]
  if name ~= 'everybody' then
    clear(name)
  else
    local key = P .. 'failures:' .. name
    local known = redis.call('HMGET', key, 'failures', 'failed_at')
    if known[1] then
      local failures = math.max(tonumber(known[1]) - 1, 0)
      redis.call('HSET', key, 'failures', failures)
      if failures <= tonumber(ARGV[1]) then
        redis.call('HSET', key, 'locked_until', known[2])
        redis.call('ZREM', P .. 'locks', name)
      end
    end
  end
end
return {}
