-- maths.kal in Lua.
local sqrt, floor, sin, exp = math.sqrt, math.floor, math.sin, math.exp

local function term(x) return sqrt(x) + floor(x * 0.5) - sin(x) * exp(0 - x * 0.000001) end

local function sum(n)
  local s = 0
  for i = 0, n - 1 do s = s + term(i) end
  return s
end

print(string.format("%.17g", sum(5000000)))
