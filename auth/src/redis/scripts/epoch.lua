return redis.call('GET', P .. 'epoch') or '0'
