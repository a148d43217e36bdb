-- now
redis.call('SET', P .. 'since', ARGV[1], 'NX')
return redis.call('GET', P .. 'since')
