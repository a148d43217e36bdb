-- Stands before the scripts that count failures.

-- Of the keys with these names, the index of the one whose lock ends last, and when; or nil.
local function locked(names, now)
  local which, longest
  for index, name in ipairs(names) do
    local known = redis.call('HMGET', P .. 'failures:' .. name, 'failed_at', 'locked_until')
    if known[1] and tonumber(known[1]) <= now then
      local ends = tonumber(known[2])
      if ends > now and (not longest or ends > longest) then
        which, longest = index, ends
      end
    end
  end
  return which, longest
end

-- Counts a failure of a key that is not locked. Backoff: free failures, first and longest lock, and when
-- to forget, in milliseconds.
local function count(name, backoff, now)
  local key = P .. 'failures:' .. name
  local known = redis.call('HMGET', key, 'failures', 'forget_at')
  local failures = 1
  if known[1] and tonumber(known[2]) > now then
    failures = math.min(tonumber(known[1]) + 1, 4294967295)
  end
  local doublings, lock = failures - backoff.free - 1, 0
  if doublings >= 0 then
    lock = math.min(backoff.first * 2 ^ math.min(doublings, 32), backoff.longest)
  end
  local locked_until = math.min(now + lock, LATEST)
  local forget_at = math.min(locked_until + backoff.forget, LATEST)
  redis.call('HSET', key, 'failures', failures, 'failed_at', upto(now),
    'locked_until', upto(locked_until), 'forget_at', upto(forget_at))
  redis.call('PEXPIRE', key, upto(forget_at - now + MARGIN))
  redis.call('ZADD', P .. 'failures', upto(forget_at), name)
  if lock > 0 then
    redis.call('ZADD', P .. 'locks', upto(locked_until), name)
  end
end

local function clear(name)
  redis.call('ZREM', P .. 'failures', name)
  redis.call('ZREM', P .. 'locks', name)
  return redis.call('DEL', P .. 'failures:' .. name)
end

-- The names and backoffs that begin at an argument, five arguments for each.
local function attempt_keys(first)
  local names, backoffs = {}, {}
  for at = first, #ARGV, 5 do
    table.insert(names, ARGV[at])
    table.insert(backoffs, {
      free = tonumber(ARGV[at + 1]), first = tonumber(ARGV[at + 2]),
      longest = tonumber(ARGV[at + 3]), forget = tonumber(ARGV[at + 4]),
    })
  end
  return names, backoffs
end
