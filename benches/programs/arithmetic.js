// arithmetic.kal in JavaScript.
function sum(n) {
  let s = 0;
  for (let i = 0; i < n; i++) s += i * 0.5;
  return s;
}

console.log(sum(300000000));
