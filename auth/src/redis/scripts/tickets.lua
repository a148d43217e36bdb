-- Stands before the scripts about tickets.

-- Removes the sealed secrets of tickets that have expired, unless their user may still come back.
local function unseal(now)
  local removed = 0
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'sealed', '-inf', upto(now))) do
    local used_at = redis.call('HGET', P .. 'ticket:' .. id, 'used_at')
    if not used_at or tonumber(used_at) <= now - RESUME then
      redis.call('HDEL', P .. 'ticket:' .. id, 'sealed')
      redis.call('ZREM', P .. 'sealed', id)
      removed = removed + 1
    end
  end
  return removed
end
