-- now, latest expiry of tickets to forget, latest expiry of leases to forget, most of each, kinds of documents
local now, most = tonumber(ARGV[1]), ARGV[4]

local function due(set, latest)
  return redis.call('ZRANGEBYSCORE', P .. set, '-inf', latest, 'LIMIT', 0, most)
end

local secrets = unseal(now)
local tickets = due('tickets', ARGV[2])
for _, id in ipairs(tickets) do
  for digest in string.gmatch(redis.call('HGET', P .. 'ticket:' .. id, 'digests') or '', '%S+') do
    redis.call('DEL', P .. 'secret:' .. digest)
  end
  redis.call('DEL', P .. 'ticket:' .. id)
  redis.call('ZREM', P .. 'tickets', id)
  redis.call('ZREM', P .. 'sealed', id)
end
local leases = due('leases', ARGV[3])
for _, id in ipairs(leases) do
  forget(id)
end
local failures = due('failures', ARGV[1])
for _, name in ipairs(failures) do
  clear(name)
end
local documents = 0
for at = 5, #ARGV do
  local keys = due('documents:' .. ARGV[at], ARGV[1])
  for _, key in ipairs(keys) do
    redis.call('DEL', document(ARGV[at], key))
    redis.call('ZREM', P .. 'documents:' .. ARGV[at], key)
  end
  documents = documents + #keys
end
return { secrets, #tickets, #leases, #failures, documents }
