-- target, fingerprint, now
if redis.call('HSETNX', P .. 'certificates', ARGV[1], ARGV[2] .. ' ' .. ARGV[3]) == 1 then
  return false
end
return redis.call('HGET', P .. 'certificates', ARGV[1])
