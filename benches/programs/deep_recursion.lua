-- deep_recursion.kal in Lua.
local function ackermann(m, n)
  if m < 1 then return n + 1 end
  if n < 1 then return ackermann(m - 1, 1) end
  return ackermann(m - 1, ackermann(m, n - 1))
end

local sum = 0
for i = 0, 11 do sum = sum + ackermann(3, sum < 0 and 8 or 9) end
print(sum)
