-- arithmetic.kal in Lua.
local function sum(n)
  local s = 0
  for i = 0, n - 1 do s = s + i * 0.5 end
  return s
end

print(string.format("%.17g", sum(300000000)))
