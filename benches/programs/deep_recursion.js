// deep_recursion.kal in JavaScript.
function ackermann(m, n) {
  if (m < 1) return n + 1;
  if (n < 1) return ackermann(m - 1, 1);
  return ackermann(m - 1, ackermann(m, n - 1));
}

let sum = 0;
for (let i = 0; i < 12; i++) sum += ackermann(3, sum < 0 ? 8 : 9);
console.log(sum);
