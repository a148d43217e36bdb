-- id, fence
if redis.call('HGET', P .. 'lease:' .. ARGV[1], 'fence') ~= ARGV[2] then
  return 0
end
return forget(ARGV[1])
