-- now, id, node, technician, target, protocol, address, expiry, life of the key, limits per target, per
-- technician and of all (or empty), most holders to name
local now, id = tonumber(ARGV[1]), ARGV[2]
local key = P .. 'lease:' .. id
local known = session(id)
local started_at, asked = ARGV[1], false
if known[1] then
  if expiry(id) > now then
    return { 'duplicate' }
  end
  if known[8] then
    return { 'revoked', known[8], known[9] }
  end
  started_at, asked = known[7], redis.call('HGET', key, 'permissions')
end

for index, set in ipairs({ 'leases:target:' .. ARGV[5], 'leases:technician:' .. ARGV[4], 'leases' }) do
  local allowed = tonumber(ARGV[9 + index])
  if allowed then
    local holders
    if index == 3 then
      if redis.call('ZCOUNT', P .. set, above(now), '+inf') >= allowed then
        holders = redis.call('ZRANGEBYSCORE', P .. set, above(now), '+inf')
      end
    else
      local ids = live(set, now)
      holders = #ids >= allowed and ids
    end
    if holders then
      return { 'refused', index, oldest(holders, tonumber(ARGV[13])) }
    end
  end
end

forget(id)
local fence = raise('fence', now)
redis.call('HSET', key, 'id', id, 'node', ARGV[3], 'technician', ARGV[4], 'target', ARGV[5], 'protocol', ARGV[6],
  'address', ARGV[7], 'started_at', started_at, 'fence', fence)
if asked then
  redis.call('HSET', key, 'permissions', asked)
end
redis.call('PEXPIRE', key, ARGV[9])
redis.call('ZADD', P .. 'leases', ARGV[8], id)
redis.call('SADD', P .. 'leases:node:' .. ARGV[3], id)
redis.call('SADD', P .. 'leases:technician:' .. ARGV[4], id)
redis.call('SADD', P .. 'leases:target:' .. ARGV[5], id)
return { 'leased', fence }
