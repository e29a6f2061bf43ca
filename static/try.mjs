// Answers the forms of a template's try page on the visitor's own device, with the model's .wasm:
// what is typed, drawn or chosen becomes numbers as the server makes them (asking.mjs, picture.mjs),
// the kernels are the server's own, and so are the bits. What only the server can read is not sent
// there unless its visitor says so.

import { examples, Refused, refuse, rowOf, scoreOf, written } from "./asking.mjs";
import { numbersOf } from "./picture.mjs";
import { load } from "./predict.mjs";

const here = document.getElementById("here");
const box = document.getElementById("on-device");
const said = here?.querySelector("[data-said]");
let loading = null;

// What a form says: of a picture, a drawing or a row that was picked the numbers, else its fields.
async function asked(form, signature) {
  const file = form.querySelector("[type=file]")?.files[0];
  if (file) return read(file, signature.recipe);
  const drawn = form.querySelector("[name=pixels]")?.value, picked = form.querySelector("[name=row]:checked");
  if (drawn) return { row: drawn.split(",").map(Number) };
  if (picked) return { row: picked.dataset.values.split(",").map(Number) };
  const fields = {};
  for (const field of form.querySelectorAll("[data-key]")) fields[field.dataset.key] = field.value;
  return { fields, row: ["text", "sample"].includes(here.dataset.kind) ? null : rowOf(signature, fields) };
}

async function read(file, recipe) {
  const row = await numbersOf(new Uint8Array(await file.arrayBuffer()), recipe);
  return row ? { row } : refuse("", `“${file.name}” is not read here: devices read alike, to the bit, what is a plain `
    + "PNG. Save it as one, or have it read by this site: take the mark from “Answer on this device”.");
}

// What is answered

function element(name, text = "", attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

const shown = (value) => Number(value.toPrecision(4)).toLocaleString("en", { maximumSignificantDigits: 4 });
const hex = (values) => [...new Uint8Array(values.slice().buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");

function table(names, values) {
  const made = element("table"), body = element("tbody");
  names.forEach((name, at) => {
    const line = element("tr"), exact = element("td", String(values[at]), { class: "num" });
    line.append(element("th", name, { scope: "row" }), exact);
    body.append(line);
  });
  made.append(body);
  const folded = element("details", "", { class: "as-table", id: "answer-exact" }), wrap = element("div", "", { class: "table-wrap" });
  wrap.append(made);
  folded.append(element("summary", "All numbers, as they are"), wrap);
  return folded;
}

function card(bits) {
  const section = element("section", "", { class: "card", id: "answer", "data-into-view": "", "data-bits": hex(bits) });
  section.append(element("h2", "Answer"));
  return section;
}

function headline(word, told) {
  const line = element("div", "", { class: "answer" });
  line.append(element("b", word, word.length > 3 ? { class: "word" } : {}));
  if (told) line.append(element("p", told));
  return line;
}

function figures(names, values) {
  const stats = element("dl", "", { class: "stats" });
  [...values].slice(0, 48).forEach((value, at) => {
    const stat = element("div", "", { class: "stat" }), figure = element("dd");
    figure.append(element("b", shown(value)));
    stat.append(element("dt", names[at] ?? String(at)), figure);
    stats.append(stat);
  });
  return stats;
}

// One answer of a kind: what is drawn, and the words for who hears the page.

function answeredRow(model, row) {
  const [[output, values]] = Object.entries(model.run([row])), section = card(values);
  const names = model.signature.classes?.length ? model.signature.classes : Array.from(values, (_, at) => String(at));
  let words = [...values].slice(0, 8).map((value, at) => `${names[at]}: ${shown(value)}`).join("; ");
  if (output === "probabilities" || here.dataset.kind === "action") {
    const best = values.indexOf(Math.max(...values));
    const sure = values[best] > 0.999 ? "more than 99.9" : shown(Math.round(values[best] * 1000) / 10);
    section.append(headline(names[best], output === "probabilities" ? `${sure} % sure` : ""));
    words = output === "probabilities" ? `${names[best]}, ${sure} % sure` : names[best];
  } else section.append(figures(names, values));
  section.append(table(names, values));
  return [section, words];
}

function scored(model, row) {
  const score = scoreOf(model, row), most = model.signature.recipe.threshold, section = card(Float64Array.of(score));
  const word = score > most ? "Unusual" : "Usual", from = most == null ? "" : `; from ${shown(most)} on a row is unusual`;
  section.append(headline(word, `Its score is ${shown(score)}${from}.`));
  section.append(element("p", "The score is the mean square of how far off the network is, in deviations of each column.", { class: "hint" }));
  return [section, `${word}, with a score of ${shown(score)}`];
}

function made(model, fields) {
  const found = examples(model, fields), section = card(Float32Array.from(found.flatMap((each) => [...each])));
  const [height, width] = (here.dataset.shape ?? "").split(",").map(Number), names = model.signature.features ?? [];
  if (width) {
    const list = element("ul", "", { class: "digits" });
    list.append(...found.map((each) => pictured(each, width, height)));
    section.append(list);
  } else section.append(...found.slice(0, 20).map((each) => figures(names, each)));
  return [section, `${found.length} examples were made`];
}

// A grey one in the page's own ink, in 16 shades, as templates/_pixels.html has it.
function pictured(values, width, height) {
  const item = element("li"), most = Number(here.dataset.highest), level = (value) => Math.min(1, Math.max(0, value / most));
  const said = { class: "pixels", role: "img", "aria-label": "A picture that was made" };
  if (values.length === width * height) {
    const drawn = svg("svg", { ...said, viewBox: `0 0 ${width} ${height}`, "shape-rendering": "crispEdges" }), paths = Array(17).fill("");
    values.forEach((value, at) => { paths[Math.round(level(value) * 16)] += `M${at % width} ${Math.floor(at / width)}h1v1h-1z`; });
    paths.forEach((d, shade) => shade && d && drawn.append(svg("path", { "fill-opacity": shade / 16, d })));
    item.append(drawn);
    return item;
  }
  const canvas = element("canvas", "", { ...said, width, height }), context = canvas.getContext("2d"), image = context.createImageData(width, height);
  const channels = values.length / (width * height);
  for (let at = 0; at < width * height; at++)
    image.data.set([...Array.from({ length: 3 }, (_, n) => 255 * level(values[at * channels + Math.min(n, channels - 1)])), 255], 4 * at);
  context.putImageData(image, 0, 0);
  item.append(canvas);
  return item;
}

function svg(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

async function continued(model, fields) {
  const section = element("section", "", { class: "card", id: "answer" }), line = element("p", "", { class: "written" }), text = element("span");
  const [prompt] = Object.values(fields);
  line.append(element("span", prompt, { class: "soft" }), text);
  section.append(element("h2", "Answer"), line);
  put(section, "");
  text.textContent = await written(model, fields, (sofar) => {
    text.textContent = sofar;
    return new Promise((resolve) => setTimeout(resolve)); // the page is drawn, and heard, meanwhile
  });
  return [section, `It goes on: ${text.textContent}`];
}

function put(section, words) {
  const old = document.getElementById("answer");
  if (old !== section) old.replaceWith(section);
  const told = document.getElementById("told-answer");
  if (told) told.textContent = words;
  section.scrollIntoView({ block: "nearest" });
}

function complain(reason) {
  const section = element("section", "", { class: "card", id: "answer" });
  section.append(element("h2", "Answer"), element("p", reason, { class: "error", role: "alert" }));
  put(section, "");
}

async function answer(form) {
  try {
    const model = await (loading ??= load(here.dataset.model));
    const { row, fields } = await asked(form, model.signature), started = performance.now();
    const { [here.dataset.kind]: by = answeredRow } = { anomaly: scored, sample: made, text: continued };
    const [section, words] = await by(model, row ?? fields);
    const time = shown(performance.now() - started);
    section.append(element("p", `${time} ms on this device. Nothing was sent; the bits are those that this site answers.`, { class: "hint" }));
    put(section, words);
  } catch (error) {
    loading = error instanceof Refused || error instanceof RangeError ? loading : null;
    complain(String(error.message).replace(/^row 0: /, "").replace(/^./, (letter) => letter.toUpperCase()));
  }
}

if (here?.dataset.model) {
  box.closest("[hidden]").hidden = false;
  said.textContent = "The same kernels that measured it run here, and the answer has the same bits as this site's."
    + (document.querySelector(".ask [type=file]") ? " A picture is read here where it is a plain PNG." : "");
  document.addEventListener("submit", (event) => {
    const form = event.target.closest(".ask form");
    if (!form || !box.checked) return;
    event.preventDefault();
    event.stopPropagation();
    answer(form);
  }, true);
}
