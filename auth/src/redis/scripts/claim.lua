-- now, kind of key, key, address, the address in its plainest form, whether it may come back, whether there
-- is a login, its technician, its target, its target without a domain, all in lower case; then names and
-- backoffs, the address first
local now = tonumber(ARGV[1])
local names, backoffs = attempt_keys(11)
local which, ends = locked(names, now)
if which then
  return { 'locked', which, upto(ends) }
end

local function wrong(answer)
  for index, name in ipairs(names) do
    count(name, backoffs[index], now)
  end
  return answer
end

local id = ARGV[3]
if ARGV[2] == 'digest' then
  id = redis.call('GET', P .. 'secret:' .. id)
end
local key = id and P .. 'ticket:' .. id
if not key or redis.call('EXISTS', key) == 0 then
  return wrong({ 'unknown' })
end
local ticket = redis.call('HMGET', key, 'id', 'technician', 'target', 'permissions', 'address', 'issued_at',
  'expires_at', 'context')
local state = redis.call('HMGET', key, 'used_at', 'used_by', 'used_from', 'withdrawn_at', 'bound')
local technician, target = string.lower(ticket[2]), string.lower(ticket[3])
local named = ARGV[7] == '0' or ARGV[8] == technician and (ARGV[9] == target or ARGV[10] == target)

local function right(answer)
  clear(names[1])
  clear('identity ' .. technician)
  return answer
end

if state[1] then
  local apart = math.abs(now - tonumber(state[1]))
  if ARGV[6] == '1' and named and not state[4] and state[3] == ARGV[5] and apart < RESUME then
    return right({ 'resumed', ticket, raise('fence', now), state[1] })
  end
  return { 'used', ticket, state[2], state[1] }
end
if state[4] then
  return { 'withdrawn', ticket }
end
if now >= tonumber(ticket[7]) then
  return { 'expired', ticket }
end
if state[5] and state[5] ~= ARGV[5] then
  return { 'other_address', ticket }
end
if not named then
  return wrong({ 'other_login', ticket })
end
redis.call('HSET', key, 'used_at', ARGV[1], 'used_by', ARGV[4], 'used_from', ARGV[5])
return right({ 'claimed', ticket, raise('fence', now) })
