-- small.kal in Lua.
local function f(x) return x*x + 1 end
print(f(3))
