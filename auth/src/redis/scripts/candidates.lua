-- now, then the technician in lower case, if only that one's are wanted
local answer = {}
unseal(tonumber(ARGV[1]))
for _, id in ipairs(redis.call('ZRANGE', P .. 'sealed', 0, -1)) do
  local ticket = redis.call('HMGET', P .. 'ticket:' .. id, 'id', 'technician', 'target', 'issued_at', 'sealed',
    'used_at', 'used_by')
  if ticket[1] and ticket[5] and (not ARGV[2] or string.lower(ticket[2]) == ARGV[2]) then
    table.insert(answer, ticket)
  end
end
return answer
