-- target
return redis.call('HDEL', P .. 'certificates', ARGV[1])
