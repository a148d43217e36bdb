-- Stands before the scripts about documents.

local function document(kind, key)
  return P .. 'document:' .. kind .. ':' .. key
end

-- The value, version and expiry of a document that has not expired at a time, or nil.
local function present(kind, key, now)
  local known = redis.call('HMGET', document(kind, key), 'value', 'version', 'expires_at')
  if not known[2] or known[3] and tonumber(known[3]) <= now then
    return nil
  end
  return known
end

local function expected(known, expect)
  if expect == 'any' then
    return true
  end
  if expect == 'absent' then
    return not known
  end
  return known and known[2] == expect
end

local function changed(raises, now)
  if raises == '1' then
    publish({ event = 'changed', epoch = upto(raise('epoch', now)) })
  end
end
