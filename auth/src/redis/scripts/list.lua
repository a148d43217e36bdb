-- now, kind
local now, answer = tonumber(ARGV[1]), {}
for _, key in ipairs(redis.call('ZRANGEBYSCORE', P .. 'documents:' .. ARGV[2], above(now), '+inf')) do
  local known = present(ARGV[2], key, now)
  if known then
    table.insert(answer, { key, known })
  end
end
return answer
