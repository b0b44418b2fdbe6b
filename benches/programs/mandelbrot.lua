-- mandelbrot.kal in Lua, its operators as functions.
local function greater(a, b) return b < a end
local function either(a, b) return a or b end

local function converge(real, imag, iters, creal, cimag)
  if either(greater(iters, 255), greater(real*real + imag*imag, 4)) then
    return iters
  end
  return converge(real*real - imag*imag + creal, 2*real*imag + cimag, iters + 1, creal, cimag)
end

local function mandelbrot(xmin, xstep, ymin, ystep, last)
  local sum = 0
  for y = 0, last do
    for x = 0, last do
      sum = sum + converge(xmin + x*xstep, ymin + y*ystep, 0, xmin + x*xstep, ymin + y*ystep)
    end
  end
  return sum
end

print(mandelbrot(-2.3, 0.0032, -1.3, 0.0026, 999))
