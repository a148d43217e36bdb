-- now, kind, key
return present(ARGV[2], ARGV[3], tonumber(ARGV[1])) or {}
