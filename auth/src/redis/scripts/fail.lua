-- now, then names and backoffs
local now = tonumber(ARGV[1])
local names, backoffs = attempt_keys(2)
local which, ends = locked(names, now)
if which then
  return { which, upto(ends) }
end
for index, name in ipairs(names) do
  count(name, backoffs[index], now)
end
return {}
