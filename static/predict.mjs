// Uses a model that was exported as one .wasm, in a browser or in Node; the bits are the server's.
//
//     import { load } from "./predict.mjs";
//     const model = await load("flowers.wasm");  // an address, a Response, or the bytes
//     model.predict([[5.1, 3.5, 1.4, 0.2]]);     // [{ values: Float32Array, label: "setosa" }]
//
// A row is a list of numbers, flat or nested as the input is; an object by the names of
// `model.signature.features`; or, where the model takes tokens, their numbers, their list, or a
// text. A row that does not fit is refused with a RangeError that says what would.

const KINDS = { f4: Float32Array, u4: Uint32Array, i1: Int8Array };

export async function load(source) {
  const module = await WebAssembly.compile(await bytesOf(source));
  const [section] = WebAssembly.Module.customSections(module, "model");
  if (!section) throw new RangeError("this .wasm holds no model");
  const about = JSON.parse(new TextDecoder().decode(section));
  return new Model(about, await WebAssembly.instantiate(module, {}));
}

async function bytesOf(source) {
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) return source;
  if (!(source instanceof Response) && String(source).startsWith("file:"))
    return (await import("node:fs/promises")).readFile(new URL(source));
  const response = source instanceof Response ? source : await fetch(source);
  if (!response.ok) throw new RangeError(`${response.url} answers ${response.status}`);
  return response.arrayBuffer();
}

class Model {
  #call;
  #input;
  #outputs;
  #parameters;
  #tokens;

  constructor(about, instance) {
    Object.assign(this, about); // signature, inputs, outputs, capacity, provenance, kernel_hash
    const { memory, predict } = instance.exports;
    const block = (place) => {
      const size = count(place.shape), all = size * about.capacity; // for one row, for all
      const view = new KINDS[place.dtype](memory.buffer, place.address, all);
      return { ...place, size, memory: view };
    };
    this.#call = predict;
    this.#input = block(about.inputs[0]);
    this.#outputs = about.outputs.map(block);
    this.#parameters = new Map((about.parameters ?? []).map(({ name, shape, dtype, address }) =>
      [name, new KINDS[dtype](memory.buffer, address, count(shape))]));
    const vocabulary = about.signature.vocabulary ?? [];
    this.#tokens = new Map(vocabulary.map((token, number) => [token, number]));
  }

  // What the first output means, row by row: all its values, and where they are probabilities of
  // classes the name of the likeliest (a list of names where there is one for each step).
  predict(rows) {
    const [{ name, shape, size }] = this.#outputs, found = this.run(rows)[name];
    return Array.from(rows, (_, row) => {
      const values = found.slice(row * size, (row + 1) * size);
      if (name !== "probabilities") return { values };
      return { values, label: this.#label(values, shape.at(-1)) };
    });
  }

  // The weights of this name, as they lie in memory; nothing where there are none.
  parameter(name) {
    return this.#parameters.get(name);
  }

  // All outputs by name, the rows of each one after the other.
  run(rows) {
    const encoded = Array.from(rows, (row, at) => this.#encode(row, at));
    const found = this.#outputs.map(({ size, dtype }) => new KINDS[dtype](size * encoded.length));
    for (let first = 0; first < encoded.length; first += this.capacity) {
      const part = encoded.slice(first, first + this.capacity);
      part.forEach((row, at) => this.#input.memory.set(row, at * this.#input.size));
      this.#call(part.length);
      this.#outputs.forEach(({ size, memory }, at) =>
        found[at].set(memory.subarray(0, size * part.length), size * first));
    }
    for (const [at, values] of found.entries()) {
      const wrong = values.findIndex((value) => !Number.isFinite(value));
      const row = Math.floor(wrong / this.#outputs[at].size);
      if (wrong >= 0) refuse(row, "its numbers are so large that the network overflows");
    }
    return Object.fromEntries(this.#outputs.map(({ name }, at) => [name, found[at]]));
  }

  #label(values, classes) {
    const names = this.signature.classes ?? [], found = [];
    for (let first = 0; first < values.length; first += classes) {
      const group = values.subarray(first, first + classes);
      const best = group.indexOf(Math.max(...group));
      found.push(names[best] ?? String(best));
    }
    return found.length === 1 ? found[0] : found;
  }

  #encode(row, at) {
    const { size, dtype, below } = this.#input, named = this.signature.features ?? [];
    let values = row;
    if (typeof row === "string") values = this.#split(row);
    else if (!Array.isArray(row) && !ArrayBuffer.isView(row))
      values = named.map((name) => row?.[name] ?? refuse(at, `has no ${name}`));
    const isTyped = ArrayBuffer.isView(values);
    if (!isTyped || typeof values[0] !== "number") // else they are copied once
      values = (isTyped ? Array.from(values) : values.flat(Infinity))
        .map((value) => this.#number(value, at));
    if (values.length !== size) refuse(at, `must have ${size} values, not ${values.length}`);
    // nothing but a number is one: Number() makes 0 of null and of "", and 16 of "0x10"
    const fits = (value) => typeof value === "number" && (dtype === "f4"
      ? Number.isFinite(Math.fround(value))
      : Number.isInteger(value) && value >= 0 && value < below);
    const wrong = values.findIndex((value) => !fits(value));
    if (wrong >= 0)
      refuse(at, `value ${wrong} is ${shown(values[wrong])}, no number that the model takes`);
    return values;
  }

  // A token's number, a large whole number as any other, and the rest as it is.
  #number(value, at) {
    if (typeof value === "bigint") return Number(value);
    if (typeof value !== "string" || !this.#tokens.size) return value;
    return this.#tokens.get(value) ?? refuse(at, `does not know the token "${value}"`);
  }

  // A text in tokens: single characters where the vocabulary has no others, else words.
  #split(text) {
    const isByCharacter = [...this.#tokens.keys()].every((token) => [...token].length === 1);
    return isByCharacter ? [...text] : text.split(/\s+/).filter(Boolean);
  }
}

function count(shape) {
  return shape.reduce((product, size) => product * size, 1);
}

function shown(value) {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

function refuse(row, reason) {
  throw new RangeError(`row ${row}: ${reason}`);
}
