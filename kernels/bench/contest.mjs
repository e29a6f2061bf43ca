// Both contestants of web.py in one process, in turns: reads cases.json beside it, writes JSON.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const here = new URL("./", import.meta.url);
const [loader, rounds] = process.argv.slice(2);
const { load } = await import(pathToFileURL(loader));
const ort = createRequire(here)("onnxruntime-web");
ort.env.wasm.numThreads = 1;

const file = (name) => readFileSync(new URL(name, here));
const found = [];
for (const one of JSON.parse(file("cases.json"))) {
  const bytes = Uint8Array.from(file(`${one.stem}.rows`)).buffer; // of its own, not Node's pool
  const numbers = one.is_of_tokens ? new Uint32Array(bytes) : new Float32Array(bytes);
  const size = numbers.length / one.rows;
  const row = (_, at) => numbers.subarray(at * size, (at + 1) * size);
  const rows = Array.from({ length: one.rows }, row);
  const model = await load(file(`${one.stem}.wasm`));
  const session = await ort.InferenceSession.create(file(`${one.stem}.onnx`), {
    executionProviders: ["wasm"],
  });
  const tensor = one.is_of_tokens
    ? new ort.Tensor("int64", BigInt64Array.from(numbers, BigInt), one.shape)
    : new ort.Tensor("float32", numbers, one.shape);
  const contestants = {
    here: () => model.run(rows),
    peer: () => session.run({ [session.inputNames[0]]: tensor }),
  };
  const median = await inTurns(contestants);
  found.push({
    name: `${one.name}, ${one.rows} row${one.rows > 1 ? "s" : ""}`,
    rows: one.rows,
    here_us: median.here,
    peer_us: median.peer,
    ratio: median.peer / median.here,
  });
  await session.release();
}
console.log(JSON.stringify(found));

// Median microseconds of each, over rounds in which each has its turn of about 10 ms.
async function inTurns(contestants) {
  const times = {}, repeats = {};
  for (const [name, work] of Object.entries(contestants)) {
    times[name] = [];
    await timed(work, 1, 300_000); // until the engine has compiled what runs often
    for (repeats[name] = 1; (await timed(work, repeats[name])) < 5_000; repeats[name] *= 2);
  }
  for (let round = 0; round < rounds; round++)
    for (const [name, work] of Object.entries(contestants))
      times[name].push((await timed(work, repeats[name])) / repeats[name]);
  const middle = ([name, of]) => [name, of.sort((a, b) => a - b)[of.length >> 1]];
  return Object.fromEntries(Object.entries(times).map(middle));
}

// Microseconds of processor time, since others may be at work on the machine.
async function timed(work, repeats, atLeast = 0) {
  const begin = process.cpuUsage(), spent = () => process.cpuUsage(begin);
  do for (let i = 0; i < repeats; i++) await work();
  while (atLeast && spent().user < atLeast);
  const { user, system } = spent();
  return user + system;
}
