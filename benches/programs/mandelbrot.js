// mandelbrot.kal in JavaScript, its operators as functions. There are no tail calls: they are a loop.
const greater = (a, b) => b < a;
const either = (a, b) => a ? true : b;

function converge(real, imag, iters, creal, cimag) {
  while (!either(greater(iters, 255), greater(real*real + imag*imag, 4))) {
    const next = real*real - imag*imag + creal;
    imag = 2*real*imag + cimag;
    real = next;
    iters++;
  }
  return iters;
}

function mandelbrot(xmin, xstep, ymin, ystep, last) {
  let sum = 0;
  for (let y = 0; y <= last; y++)
    for (let x = 0; x <= last; x++)
      sum += converge(xmin + x*xstep, ymin + y*ystep, 0, xmin + x*xstep, ymin + y*ystep);
  return sum;
}

console.log(mandelbrot(-2.3, 0.0032, -1.3, 0.0026, 999));
