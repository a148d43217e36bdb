-- Stands before every script. KEYS[1] is the prefix of all keys; see REDIS.md for what is behind it.
-- Numbers are doubles, which hold every time (milliseconds since the epoch) and count exactly.
local P = KEYS[1]

-- Raises a counter. One that is missing begins at the time, so that it does not repeat what it said
-- before it was lost.
local function raise(name, now)
  local key = P .. name
  if redis.call('EXISTS', key) == 0 then
    redis.call('SET', key, string.format('%.0f', math.max(now, 0)))
  end
  return redis.call('INCR', key)
end

-- Tells watchers. Where the user may not publish, they learn of it otherwise.
local function publish(event)
  redis.pcall('PUBLISH', P .. 'events', cjson.encode(event))
end

local function above(now)
  return '(' .. string.format('%.0f', now)
end

local function upto(now)
  return string.format('%.0f', now)
end
