// maths.kal in JavaScript.
const term = (x) => Math.sqrt(x) + Math.floor(x * 0.5) - Math.sin(x) * Math.exp(0 - x * 0.000001);

function sum(n) {
  let s = 0;
  for (let i = 0; i < n; i++) s += term(i);
  return s;
}

console.log(sum(5000000));
