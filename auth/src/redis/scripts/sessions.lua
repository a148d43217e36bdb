-- now
local ids = redis.call('ZRANGEBYSCORE', P .. 'leases', above(tonumber(ARGV[1])), '+inf')
return oldest(ids, #ids)
