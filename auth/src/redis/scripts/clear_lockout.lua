-- name
return clear(ARGV[1])
