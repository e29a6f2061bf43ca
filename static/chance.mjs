// Chance, and what is computed of it, in single precision and in the kernels' order, so that the
// bits are theirs: kernels/c/philox.h, noise.c, elementary.h and sums.h, one lane at a time. To
// round each sum and product of two floats from double precision is to compute it in single.

const { fround: f, imul } = Math;
const [float, bits] = (() => { const one = new Float32Array(1); return [one, new Int32Array(one.buffer)]; })();
const SHIFT = 12582912; // 1.5 * 2^23: adding it rounds to a whole number
const [SAMPLING, LATENT] = [7, 8]; // purposes of kernels/philox.py

const bitsOf = (value) => { float[0] = value; return bits[0]; };
const floatOf = (word) => { bits[0] = word; return float[0]; };
const horner = (x, first, ...rest) => rest.reduce((sum, next) => f(f(sum * x) + f(next)), f(first));

// Philox4x32-10: the four words of block `index` of a stream at a step.
function block(seed, purpose, step, index) {
  let [a, b, c, d] = [index >>> 0, step >>> 0, purpose, 0];
  let low = Number(seed & 0xffffffffn), high = Number(seed >> 32n);
  for (let round = 0; round < 10; round++) {
    const first = [upper(0xd2511f53, a), imul(0xd2511f53, a)], second = [upper(0xcd9e8d57, c), imul(0xcd9e8d57, c)];
    [a, b, c, d] = [second[0] ^ b ^ low, second[1], first[0] ^ d ^ high, first[1]].map((word) => word >>> 0);
    low = (low + 0x9e3779b9) >>> 0;
    high = (high + 0xbb67ae85) >>> 0;
  }
  return [a, b, c, d];
}

// The upper half of the product of two words: of its parts each is exact in double precision.
function upper(one, other) {
  const [low, high] = [one & 0xffff, one >>> 16], part = low * other;
  return Math.floor((high * other + Math.floor(part / 65536)) / 65536);
}

export const word24 = (seed, step) => block(seed, SAMPLING, step, 0)[0] >>> 8;

// Normal numbers by Box and Muller's transform; a block gives four.
export function normals(count, seed) {
  const found = new Float32Array(Math.ceil(count / 4) * 4);
  for (let at = 0; at < count; at += 4) {
    const words = block(seed, LATENT, 0, at / 4).map((word) => word >>> 8);
    found.set([...pair(words[0], words[2]), ...pair(words[1], words[3])], at);
  }
  return found.subarray(0, count);
}

function pair(u, v) {
  const radius = f(Math.sqrt(f(-2 * log(f(f(u + 1) * 2 ** -24))))), angle = f(f(v * 2 ** -24) * f(6.28318530717958648));
  return [f(radius * sine(angle, 1)), f(radius * sine(angle, 0))];
}

// The natural logarithm; of zero minus infinity.
export function log(x) {
  if (!(x > 0)) return x < 0 ? NaN : -Infinity;
  const isSmall = x < f(1.17549435e-38), fromRoot = bitsOf(isSmall ? f(x * 8388608) : x) - 0x3f3504f3;
  const e = (fromRoot >> 23) - (isSmall ? 23 : 0), m = floatOf((fromRoot & 0x7fffff) + 0x3f3504f3);
  const part = f(m - 1), square = f(part * part);
  const p = horner(part, 7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
    -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1);
  let y = f(f(p * part) * square);
  y = f(y + f(e * f(-2.12194440e-4)));
  y = f(y - f(0.5 * square));
  return f(f(part + y) + f(e * f(0.693359375)));
}

// sin(x + quarters * pi / 2)
function sine(x, quarters) {
  const shifted = f(f(x * f(0.636619772367581343)) + SHIFT), n = f(shifted - SHIFT);
  const quarter = quarters + bitsOf(shifted) - 0x4b400000;
  let r = f(x - f(n * f(1.5703125)));
  r = f(f(r - f(n * f(4.837512969970703125e-4))) - f(n * f(7.54978995489e-8)));
  const square = f(r * r);
  const p = horner(square, -1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1);
  const q = horner(square, 2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2);
  const even = f(f(f(p * square) * r) + r);
  const odd = f(f(f(f(q * square) * square) - f(0.5 * square)) + 1);
  const y = quarter & 1 ? odd : even;
  return quarter & 2 ? -y : y;
}

// 2^x for x below 126, zero below -126.5
function power(given) {
  const x = given < -127 ? -127 : given, shifted = f(x + SHIFT), r = f(x - f(shifted - SHIFT)), square = f(r * r);
  const two = (first, second) => f(f(first) + f(r * f(second)));
  const high = two(1.3398873853e-3, 1.5353361960e-4), middle = f(two(5.5503323674e-2, 9.6184369177e-3) + f(square * high));
  const p = f(two(6.9314718246e-1, 2.4022647738e-1) + f(square * middle));
  return f(f(f(p * r) + 1) * floatOf((bitsOf(shifted) << 23) + 0x3f800000));
}

// A row as probabilities: four sums side by side over whole fours, then the ragged end.
export function softmax(x) {
  const peak = x.reduce((most, value) => (most < value ? value : most)), octaves = f(1.44269504088896341);
  const found = x.map((value) => power(f(f(value - peak) * octaves))), last = x.length - (x.length % 4);
  const sums = new Float32Array(4);
  for (let at = 0; at < last; at++) sums[at % 4] += found[at];
  let total = f(f(sums[0] + sums[1]) + f(sums[2] + sums[3]));
  for (let at = last; at < x.length; at++) total = f(total + found[at]);
  return found.map((value) => value / total);
}
