// Runs a WebAssembly module that `kaleidoscope build` has made, as the runtime in C does. Ends with
// exit code 3 if the module needs a function that JavaScript does not have.
//
// node host.mjs MODULE

import { readFileSync, writeSync } from "node:fs";
import { argv, exit } from "node:process";

const output = [];
let memory;

const isByte = (number) => number > -1 && number < 256;
const text = (number) => `${Object.is(number, -0) ? "-0" : number}\n`;

function write(bytes) {
  output.push(...bytes);
}

function fail(message) {
  writeSync(1, Uint8Array.from(output));
  writeSync(2, message);
  exit(1);
}

const encoder = new TextEncoder();
const runtime = {
  kaleidoscope_begin() {},
  kaleidoscope_value(number) {
    if (output.length > 0 && output.at(-1) !== 10) write([10]);
    write(encoder.encode(text(number)));
  },
  kaleidoscope_printd(number) {
    write(encoder.encode(text(number)));
    return 0;
  },
  kaleidoscope_putchard(number) {
    const scalar = number > -1 && number < 0x110000 ? Math.trunc(number) : 0xfffd;
    const isSurrogate = scalar >= 0xd800 && scalar < 0xe000;
    write(encoder.encode(String.fromCodePoint(isSurrogate ? 0xfffd : scalar)));
    return 0;
  },
  kaleidoscope_putbyte(number) {
    if (!isByte(number)) fail("putbyte failed\n");
    write([Math.trunc(number)]);
    return 0;
  },
  kaleidoscope_fail(address) {
    const bytes = new Uint8Array(memory.buffer, address);
    fail(new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0))));
  },
};

const { sin, cos, tan, asin, acos, atan, atan2, sinh, cosh, tanh, exp, log, log10, log2, cbrt } = Math;
const { hypot, asinh, acosh, atanh, expm1, log1p } = Math;
const maths = {
  sin, cos, tan, asin, acos, atan, atan2, sinh, cosh, tanh, exp, log, log10, log2, cbrt,
  hypot, asinh, acosh, atanh, expm1, log1p,
  exp2: (x) => 2 ** x,
  fmod: (x, y) => x % y,
  fmin: (x, y) => (Number.isNaN(x) ? y : Number.isNaN(y) ? x : Math.min(x, y)),
  fmax: (x, y) => (Number.isNaN(x) ? y : Number.isNaN(y) ? x : Math.max(x, y)),
  pow: (x, y) => (x === 1 || (x === -1 && Math.abs(y) === Infinity) ? 1 : x ** y),
  round(x) {
    const whole = Math.trunc(x);
    return Math.abs(x - whole) < 0.5 ? whole : whole + Math.sign(x);
  },
};

const module = new WebAssembly.Module(readFileSync(argv[2]));
const env = { ...maths, ...runtime };
if (WebAssembly.Module.imports(module).some(({ name }) => !(name in env))) exit(3);
const { exports } = new WebAssembly.Instance(module, { env });
memory = exports.memory;
exports.kaleidoscope_program();
writeSync(1, Uint8Array.from(output));
