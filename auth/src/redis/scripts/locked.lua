-- now, then names and backoffs
local which, ends = locked((attempt_keys(2)), tonumber(ARGV[1]))
if which then
  return { which, upto(ends) }
end
return {}
