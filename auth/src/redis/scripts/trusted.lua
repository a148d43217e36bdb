return redis.call('HGETALL', P .. 'certificates')
