// small.kal in JavaScript.
const f = (x) => x*x + 1;
console.log(f(3));
