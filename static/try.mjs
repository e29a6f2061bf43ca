// Answers the forms of a template's try page on the visitor's own device, with the model's .wasm:
// what is typed becomes numbers as the server makes them (training/runner/recipes), the kernels are
// the server's own, and so are the bits. What only the server can do goes there, and that is said.

import { load } from "./predict.mjs";

const here = document.getElementById("here");
const box = document.getElementById("on-device");
const said = here?.querySelector("[data-said]");
const KINDS = ["class", "values", "forecast", "action"];
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "None", "?"];
let loading = null;

class Refused extends Error {}

function refuse(key, reason) {
  throw new Refused(key ? `${key}: ${reason}` : reason);
}

// What is typed as numbers

function number(key, text) {
  const value = Number(text);
  if (!DECIMAL.test(text.trim()) || !Number.isFinite(Math.fround(value)))
    refuse(key, `must be a number such as 1.5, not “${text}”`);
  return value;
}

function days(key, text) {
  if (DECIMAL.test(text.trim())) return number(key, text);
  const moment = /^\d{4}-\d{2}-\d{2}$/.test(text.trim()) ? Date.parse(`${text.trim()}T00:00:00Z`) : NaN;
  return Number.isNaN(moment) ? refuse(key, `must be a date such as 2024-01-31, not “${text}”`) : moment / 86_400_000;
}

function cell(column, typed) {
  let text = typed.trim();
  if (MISSING.includes(text)) text = column.missing ?? refuse(column.name, "is missing");
  if (column.kind !== "category") return [(column.kind === "date" ? days : number)(column.name, String(text))];
  const place = column.values.indexOf(String(text));
  if (place < 0) refuse(column.name, `“${text}” was never seen in training`);
  return column.values.map((_, at) => (at === place ? 1 : 0));
}

function parts(column, text) {
  return text.split(column.kind === "number" ? /[\s;]+/ : /\n/).filter((part) => part.trim());
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
  const plain = text.normalize("NFC");
  const cut = recipe.tokenizer === "characters" ? [...plain]
    : (plain.toLowerCase().match(/[\p{L}\p{N}_]+|[^\p{L}\p{N}_\s]/gu) ?? []).map((word) => [...word].slice(0, 80).join(""));
  const known = new Map(recipe.vocabulary.map((token, at) => [token, at]));
  const found = cut.slice(0, recipe.steps).map((token) => known.get(token) ?? 1);
  if (!found.some((token) => token > 1)) refuse("", `must begin with ${recipe.tokenizer} of which training saw any`);
  return [...Array(recipe.steps - found.length).fill(0), ...found];
}

function plain(text) {
  if (/^\s*[[{"]/.test(text)) {
    let read;
    try { read = JSON.parse(text); } catch { refuse("", "is no JSON"); }
    return (Array.isArray(read) ? read : Object.values(read)).flat(Infinity);
  }
  return text.split(/[\s,;]+/).filter(Boolean).map((part) => number("", part));
}

// A form as one row of numbers; nothing where only the server can read it.
function rowOf(form, signature) {
  if (form.querySelector("[type=file]")) return null;
  const drawn = form.querySelector("[name=pixels]")?.value;
  if (drawn) return plain(drawn);
  const picked = form.querySelector("[name=row]:checked");
  if (picked) return picked.dataset.values.split(",").map(Number);
  const recipe = signature.recipe ?? {}, fields = {};
  for (const field of form.querySelectorAll("[data-key]")) fields[field.dataset.key] = field.value;
  if ("" in fields) return plain(fields[""]);
  const inputs = (recipe.columns ?? []).filter((column) =>
    column.role === "feature" || (recipe.kind === "series" && column.role === "target"));
  if (recipe.kind === "text") return tokens(recipe, fields[inputs[0].name] ?? "");
  if (recipe.kind === "series") return series(recipe, inputs, fields);
  if (recipe.kind === "table") return inputs.flatMap((column) => cell(column, fields[column.name] ?? ""));
  return Object.entries(fields).map(([key, text]) => number(key, text));
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

function draw(model, output, values, milliseconds) {
  const section = element("section", "", { class: "card", id: "answer", "data-into-view": "", "data-bits": hex(values) });
  const names = model.signature.classes?.length ? model.signature.classes : Array.from(values, (_, at) => String(at));
  section.append(element("h2", "Answer"));
  let words;
  if (output === "probabilities" || here.dataset.kind === "action") {
    const best = values.indexOf(Math.max(...values)), line = element("div", "", { class: "answer" });
    words = names[best];
    line.append(element("b", words, words.length > 3 ? { class: "word" } : {}));
    if (output === "probabilities") {
      const sure = values[best] > 0.999 ? "more than 99.9" : shown(Math.round(values[best] * 1000) / 10);
      words += `, ${sure} % sure`;
      line.append(element("p", `${sure} % sure`));
    }
    section.append(line);
  } else {
    const stats = element("dl", "", { class: "stats" });
    [...values].slice(0, 48).forEach((value, at) => {
      const stat = element("div", "", { class: "stat" }), figure = element("dd");
      figure.append(element("b", shown(value)));
      stat.append(element("dt", names[at] ?? String(at)), figure);
      stats.append(stat);
    });
    words = [...values].slice(0, 8).map((value, at) => `${names[at]}: ${shown(value)}`).join("; ");
    section.append(stats);
  }
  section.append(table(names, values));
  section.append(element("p", `${shown(milliseconds)} ms on this device. Nothing was sent; the bits are those that this site answers.`, { class: "hint" }));
  put(section, words);
}

function put(section, words) {
  document.getElementById("answer").replaceWith(section);
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
    const row = rowOf(form, model.signature), started = performance.now();
    const [[output, values]] = Object.entries(model.run([row]));
    draw(model, output, values, performance.now() - started);
  } catch (error) {
    loading = error instanceof Refused || error instanceof RangeError ? loading : null;
    complain(String(error.message).replace(/^row 0: /, "").replace(/^./, (letter) => letter.toUpperCase()));
  }
}

if (here?.dataset.model) {
  if (KINDS.includes(here.dataset.kind)) {
    box.closest("[hidden]").hidden = false;
    said.textContent = "The same kernels that measured it run here, and the answer has the same bits as this site's. The file of a picture is read by this site.";
    document.addEventListener("submit", (event) => {
      const form = event.target.closest(".ask form");
      if (!form || !box.checked || form.querySelector("[type=file]")) return;
      event.preventDefault();
      event.stopPropagation();
      answer(form);
    }, true);
  } else {
    said.textContent = "What this kind of model answers is put together by this site, also from the same kernels.";
  }
}
