-- Stands before the scripts about leases. The score in `leases` says until when a lease holds.

local function session(id)
  return redis.call('HMGET', P .. 'lease:' .. id, 'id', 'node', 'technician', 'target', 'protocol', 'address',
    'started_at', 'revoked_by', 'revoked_reason', 'fence')
end

local function expiry(id)
  return tonumber(redis.call('ZSCORE', P .. 'leases', id) or '-inf')
end

local function forget(id)
  local known = session(id)
  if known[1] then
    redis.call('SREM', P .. 'leases:node:' .. known[2], id)
    redis.call('SREM', P .. 'leases:technician:' .. known[3], id)
    redis.call('SREM', P .. 'leases:target:' .. known[4], id)
  end
  redis.call('DEL', P .. 'lease:' .. id)
  return redis.call('ZREM', P .. 'leases', id)
end

-- Those in a set whose leases hold. What the set still names of leases that are forgotten is removed.
local function live(set, now)
  local ids = {}
  for _, id in ipairs(redis.call('SMEMBERS', P .. set)) do
    if redis.call('EXISTS', P .. 'lease:' .. id) == 0 then
      redis.call('SREM', P .. set, id)
    elseif expiry(id) > now then
      table.insert(ids, id)
    end
  end
  return ids
end

-- The sessions with these identifiers, oldest first, at most some.
local function oldest(ids, most)
  local sessions, answer = {}, {}
  for _, id in ipairs(ids) do
    local known = session(id)
    if known[1] then
      table.insert(sessions, known)
    end
  end
  table.sort(sessions, function(a, b)
    local started_a, started_b = tonumber(a[7]), tonumber(b[7])
    if started_a ~= started_b then
      return started_a < started_b
    end
    return tonumber(a[10]) < tonumber(b[10])
  end)
  for index = 1, math.min(#sessions, most) do
    answer[index] = sessions[index]
  end
  return answer
end
