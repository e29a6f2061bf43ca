// What is typed as the numbers that a network takes, and what it answers as what is meant by them:
// with the bits of the server, of training/runner/recipes, answers.py, anomalies.py and
// kernels/sampling.py. Nothing here knows of a page, so Node tests it.

import { log, normals, softmax, word24 } from "./chance.mjs";
import { numeral, numerals } from "./numerals.mjs";

const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "None", "?"];
const [PADDING, UNKNOWN] = [0, 1];
const COLDEST = 1e-3; // what is colder leaves nothing but the likeliest

export class Refused extends Error {}

export function refuse(key, reason) {
  throw new Refused(key ? `${key}: ${reason}` : reason);
}

// What is typed

function number(key, text) {
  const value = Number(text);
  if (!DECIMAL.test(text.trim()) || !Number.isFinite(Math.fround(value)))
    refuse(key, `must be a number such as 1.5, not “${text}”`);
  return value;
}

function whole(key, text, least, most) {
  const value = /^\s*\d{1,19}\s*$/.test(text) ? BigInt(text.trim()) : -1n;
  return value >= least && value <= most ? value
    : refuse(key, `must be a whole number from ${least} to ${most}, not “${text}”`);
}

function days(key, text) {
  if (DECIMAL.test(text.trim())) return number(key, text);
  const moment = /^\d{4}-\d{2}-\d{2}$/.test(text.trim()) ? Date.parse(`${text.trim()}T00:00:00Z`) : NaN;
  return Number.isNaN(moment) ? refuse(key, `must be a date such as 2024-01-31, not “${text}”`) : moment / 86_400_000;
}

function cell(column, typed) {
  let text = column.kind === "number" ? typedAs(column.name, () => numeral(typed)) : typed.trim();
  if (MISSING.includes(text)) text = column.missing ?? refuse(column.name, "is missing");
  if (column.kind !== "category") return [(column.kind === "date" ? days : number)(column.name, String(text))];
  const place = column.values.indexOf(String(text));
  if (place < 0) refuse(column.name, `“${text}” was never seen in training`);
  return column.values.map((_, at) => (at === place ? 1 : 0));
}

function typedAs(key, read) {
  try { return read(); } catch (error) { return refuse(key, error.message); }
}

function parts(column, text) {
  if (column.kind === "number") return typedAs(column.name, () => numerals(text, true));
  return text.split(/\n/).filter((part) => part.trim());
}

function series(recipe, columns, fields) {
  const steps = columns.map((column) => parts(column, fields[column.name] ?? ""));
  const longest = Math.max(...steps.map((each) => each.length));
  if (longest < recipe.window) refuse("", `must be at least ${recipe.window} steps, not ${longest}`);
  if (steps.some((each) => each.length !== longest)) refuse("", "columns must be equally long");
  return Array.from({ length: recipe.window }, (_, step) =>
    columns.flatMap((column, at) => cell(column, steps[at][longest - recipe.window + step]))).flat();
}

function tokens(recipe, text) {
  const composed = text.normalize("NFC");
  const cut = recipe.tokenizer === "characters" ? [...composed]
    : (composed.toLowerCase().match(/[\p{L}\p{N}_]+|[^\p{L}\p{N}_\s]/gu) ?? []).map((word) => [...word].slice(0, 80).join(""));
  const known = new Map(recipe.vocabulary.map((token, at) => [token, at]));
  return cut.map((token) => known.get(token) ?? UNKNOWN);
}

function padded(recipe, text) {
  const found = tokens(recipe, text).slice(0, recipe.steps);
  if (!found.some((token) => token > UNKNOWN)) refuse("", `must begin with ${recipe.tokenizer} of which training saw any`);
  return [...Array(recipe.steps - found.length).fill(PADDING), ...found];
}

function plain(text) {
  if (/^\s*[[{"]/.test(text)) {
    let read;
    try { read = JSON.parse(text); } catch { refuse("", "is no JSON"); }
    return (Array.isArray(read) ? read : Object.values(read)).flat(Infinity);
  }
  return typedAs("", () => numerals(text, false)).map((part) => number("", part));
}

// The one row that fields {key: text} are.
export function rowOf({ recipe = {} }, fields) {
  if ("" in fields) return plain(fields[""]);
  const inputs = (recipe.columns ?? []).filter((column) =>
    column.role === "feature" || (recipe.kind === "series" && column.role === "target"));
  if (recipe.kind === "text") return padded(recipe, fields[inputs[0].name] ?? "");
  if (recipe.kind === "series") return series(recipe, inputs, fields);
  if (recipe.kind === "table" && inputs.every(({ name }) => name in fields))
    return inputs.flatMap((column) => cell(column, fields[column.name]));
  return Object.entries(fields).map(([key, text]) => number(key, typedAs(key, () => numeral(text))));
}

// What is answered

// How unusual a row is: the mean square of how far off the network is, in deviations of each column.
export function scoreOf(model, row) {
  const scale = model.parameter("input.scale") ?? refuse("", "the file was made before scores were; ask this site");
  const given = Float32Array.from(row), [found] = Object.values(model.run([row]));
  const far = Float64Array.from(given, (value, at) => (value - found[at]) / scale[at % scale.length]);
  return sum(far.map((value) => value * value)) / row.length;
}

// In the order in which NumPy adds up: eight sums side by side, of halves that are at most 128 long.
function sum(values) {
  const { length } = values;
  if (length < 8) return values.reduce((total, value) => total + value, 0);
  if (length > 128) {
    const half = Math.floor(length / 16) * 8;
    return sum(values.subarray(0, half)) + sum(values.subarray(half));
  }
  const r = values.slice(0, 8), last = length - (length % 8);
  for (let at = 8; at < last; at++) r[at % 8] += values[at];
  const total = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
  return values.subarray(last).reduce((all, value) => all + value, total);
}

// As many examples as asked for, of the noise that a seed draws, one after the other.
export function examples(model, fields) {
  const [{ name, shape }] = model.inputs;
  if (name !== "latent") refuse("", "the file was made before it could make examples; ask this site");
  const count = Number(whole("count", fields.count, 1, 100)), size = shape.reduce((all, side) => all * side, 1);
  const noise = normals(count * size, whole("seed", fields.seed, 0, 2n ** 63n - 1n));
  const rows = Array.from({ length: count }, (_, row) => noise.subarray(row * size, (row + 1) * size));
  const [made] = Object.values(model.run(rows));
  return Array.from(rows, (_, row) => made.subarray(row * made.length / count, (row + 1) * made.length / count));
}

// A text that goes on from the one typed; told of each token, so that a page may show it meanwhile.
export async function written(model, fields, tell = () => {}) {
  const { recipe } = model.signature, [{ name }] = recipe.columns.filter(({ role }) => role === "feature");
  const stated = { length: "200", temperature: "0.7", top_k: "0", seed: "0", ...fields };
  const length = Number(whole("length", stated.length, 1, 400)), seed = whole("seed", stated.seed, 0, 2n ** 63n - 1n);
  const heat = number("temperature", stated.temperature), top = Number(whole("top_k", stated.top_k, 0, 32_768));
  if (heat < 0 || heat > 100) refuse("temperature", `must be from 0 to 100, not ${heat}`);
  const found = tokens(recipe, stated[name] ?? ""), first = found.length;
  if (!found.some((token) => token > UNKNOWN)) refuse(name, `must have ${recipe.tokenizer} of which training saw any`);
  for (let place = 0; place < length; place++) {
    const seen = found.slice(-recipe.steps), row = [...seen, ...Array(recipe.steps - seen.length).fill(PADDING)];
    const [chances] = Object.values(model.run([row])), words = chances.length / recipe.steps;
    found.push(picked(chances.slice((seen.length - 1) * words, seen.length * words), heat, top, word24(seed, place)));
    if (place % 8 === 7) await tell(textOf(recipe, found.slice(first)));
  }
  return textOf(recipe, found.slice(first));
}

function textOf({ vocabulary, tokenizer }, numbers) {
  return numbers.filter((token) => token !== PADDING).map((token) => vocabulary[token])
    .join(tokenizer === "characters" ? "" : " ");
}

// The token whose share of all begins before word / 2^24 of it, the largest first and of equals the
// first.
function picked(chances, heat, top, word) {
  if (heat < COLDEST) return chances.indexOf(Math.max(...chances));
  const inverse = Math.fround(1 / heat), shares = softmax(chances.map((chance) => log(chance) * inverse));
  const order = Array.from(shares.keys()).sort((one, other) => shares[other] - shares[one] || one - other);
  const left = top ? order.slice(0, top) : order;
  let end = 0;
  const ends = left.map((token) => (end += shares[token])), wanted = end * (word * 2 ** -24);
  const place = ends.findIndex((each) => each > wanted);
  return left[place < 0 ? left.length - 1 : place];
}
