-- node
local ids = redis.call('SMEMBERS', P .. 'leases:node:' .. ARGV[1])
local sessions = oldest(ids, #ids)
for _, id in ipairs(ids) do
  forget(id)
end
redis.call('DEL', P .. 'leases:node:' .. ARGV[1])
return sessions
