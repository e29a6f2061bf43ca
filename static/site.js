// What the pages gain where scripts run. Everything works without it; nothing here holds state that
// the server needs, and listeners sit on the document so that swapped fragments need no set-up.

const root = document.documentElement;

// Theme: the cookie is read by the server, so the next page is drawn right from its first pixel.

const systemTheme = () => (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");

function toggleTheme() {
  const wanted = (root.dataset.theme || systemTheme()) === "dark" ? "light" : "dark";
  if (wanted === systemTheme()) {
    delete root.dataset.theme; // back to following the system
    document.cookie = "theme=; path=/; max-age=0; samesite=lax";
  } else {
    root.dataset.theme = wanted;
    document.cookie = `theme=${wanted}; path=/; max-age=31536000; samesite=lax`;
  }
  sayWhetherDark();
}

// The API's page is drawn by Swagger UI, which knows the dark by this class alone.

const sayWhetherDark = () =>
  root.classList.toggle("dark-mode", (root.dataset.theme || systemTheme()) === "dark");
sayWhetherDark();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", sayWhetherDark);

// Copy buttons

async function copyCode(button) {
  const text = button.closest(".code").querySelector("code").textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(button.closest(".code").querySelector("code"));
    button.textContent = "Press Ctrl+C";
  }
  setTimeout(() => (button.textContent = "Copy"), 2000);
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-theme-toggle]")) toggleTheme();
  const copy = event.target.closest("[data-copy]");
  if (copy) copyCode(copy);
  const clear = event.target.closest("[data-pad-clear]");
  if (clear) pads.get(clear.closest("form").querySelector("[data-pad]"))?.clear();
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    const menu = document.querySelector("details.menu[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  }
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    document.getElementById("site-search")?.focus();
  }
});

// Charts: the nearest place of the series under the pointer, or under the arrow keys

const shortNumber = (value) => Number(Number(value).toPrecision(4)).toLocaleString("en");

function readChart(chart, choose) {
  const lines = [...chart.querySelectorAll("polyline[data-values]")].map((line) => ({
    name: line.dataset.name,
    values: line.dataset.values.split(" ").map((pair) => pair.split(",").map(Number)),
    places: line.getAttribute("points").split(" ").map((pair) => Number(pair.split(",")[0]) / 1000),
  }));
  if (!lines.length) return;
  const places = [...new Set(lines.flatMap((line) => line.places))].sort((a, b) => a - b);
  const place = choose(places);
  const nearest = (line) =>
    line.places.reduce((best, at, index) =>
      Math.abs(at - place) < Math.abs(line.places[best] - place) ? index : best, 0);
  const crosshair = chart.querySelector(".crosshair");
  crosshair.setAttribute("x1", `${place * 100}%`);
  crosshair.setAttribute("x2", `${place * 100}%`);
  crosshair.setAttribute("visibility", "visible");
  chart.dataset.place = place;
  const first = lines.find((line) => line.places.includes(place));
  const x = first.values[first.places.indexOf(place)][0];
  const readings = lines
    .filter((line) => line.places.includes(place))
    .map((line) => `${line.name} ${shortNumber(line.values[nearest(line)][1])}`);
  chart.parentElement.querySelector(".readout").textContent =
    [`${chart.dataset.chart} ${shortNumber(x)}`, ...readings].join("  ·  ");
}

function leaveChart(chart) {
  chart.querySelector(".crosshair")?.setAttribute("visibility", "hidden");
  const readout = chart.parentElement.querySelector(".readout");
  if (readout) readout.textContent = "";
}

document.addEventListener("pointermove", (event) => {
  const chart = event.target.closest?.("svg[data-chart]");
  for (const other of document.querySelectorAll("svg[data-chart][data-place]")) {
    if (other !== chart && other !== document.activeElement) {
      delete other.dataset.place;
      leaveChart(other);
    }
  }
  if (!chart) return;
  const box = chart.getBoundingClientRect();
  const at = (event.clientX - box.left) / box.width;
  readChart(chart, (places) =>
    places.reduce((best, place) => (Math.abs(place - at) < Math.abs(best - at) ? place : best)));
});

document.addEventListener("keydown", (event) => {
  const chart = event.target.closest?.("svg[data-chart]");
  const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!chart || !way) return;
  event.preventDefault();
  readChart(chart, (places) => {
    const index = "place" in chart.dataset ? places.indexOf(Number(chart.dataset.place)) + way : 0;
    return places[Math.min(Math.max(index, 0), places.length - 1)];
  });
});

// Drawing pad: `data-pad` names the hidden field that gets size² intensities from 0 to `data-pad-most`

const SVG = "http://www.w3.org/2000/svg";
const pads = new WeakMap();

class Pad {
  constructor(element) {
    this.size = Number(element.dataset.padSize || 8);
    this.unit = Number(element.dataset.padMost || 16) / 16; // of the 16 shades that are drawn
    this.form = element.closest("form");
    this.field = this.form.elements[element.dataset.pad];
    this.cells = [];
    this.cursor = { x: Math.floor(this.size / 2), y: 1 };
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${this.size} ${this.size}`);
    svg.setAttribute("tabindex", "0");
    svg.setAttribute("role", "application");
    svg.setAttribute("aria-label", `Drawing pad, ${this.size} by ${this.size}. ` +
      "Arrow keys move, space paints, delete clears.");
    for (let index = 0; index < this.size ** 2; index++) {
      this.cells.push(this.shape(svg, index % this.size, Math.floor(index / this.size), "grid-line"));
    }
    this.mark = this.shape(svg, this.cursor.x, this.cursor.y, "cursor");
    svg.addEventListener("pointerdown", (event) => {
      svg.setPointerCapture(event.pointerId);
      this.stroke(svg, event);
    });
    svg.addEventListener("pointermove", (event) => event.buttons && this.stroke(svg, event));
    svg.addEventListener("pointerup", () => this.submit());
    svg.addEventListener("keydown", (event) => this.key(event));
    element.prepend(svg);
    element.hidden = false;
    this.values = this.field.value ? this.field.value.split(",").map((value) => Math.round(value / this.unit)) : [];
    if (this.values.length !== this.cells.length) this.values = this.cells.map(() => 0);
    this.draw();
  }

  shape(svg, x, y, name) {
    const cell = document.createElementNS(SVG, "rect");
    for (const [key, value] of Object.entries({ x, y, width: 1, height: 1, class: name })) {
      cell.setAttribute(key, value);
    }
    return svg.appendChild(cell);
  }

  // A round, soft brush: what a pen leaves when its stroke is counted in coarse cells.
  paint(x, y) {
    for (let index = 0; index < this.values.length; index++) {
      const [dx, dy] = [(index % this.size) + 0.5 - x, Math.floor(index / this.size) + 0.5 - y];
      const ink = Math.round(16 * Math.min(1, Math.max(0, 1.3 - Math.hypot(dx, dy))));
      this.values[index] = Math.max(this.values[index], ink);
    }
    this.draw();
  }

  stroke(svg, event) {
    const box = svg.getBoundingClientRect();
    for (const point of event.getCoalescedEvents?.() ?? [event]) {
      this.paint(((point.clientX - box.left) / box.width) * this.size,
        ((point.clientY - box.top) / box.height) * this.size);
    }
    if (event.type === "pointerdown") this.paint(((event.clientX - box.left) / box.width) * this.size,
      ((event.clientY - box.top) / box.height) * this.size);
  }

  key(event) {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key in ways) {
      const [dx, dy] = ways[event.key];
      this.cursor.x = Math.min(Math.max(this.cursor.x + dx, 0), this.size - 1);
      this.cursor.y = Math.min(Math.max(this.cursor.y + dy, 0), this.size - 1);
      this.mark.setAttribute("x", this.cursor.x);
      this.mark.setAttribute("y", this.cursor.y);
    } else if (event.key === " ") {
      this.paint(this.cursor.x + 0.5, this.cursor.y + 0.5);
      this.submit();
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.clear();
    } else return;
    event.preventDefault();
  }

  draw() {
    this.cells.forEach((cell, index) => cell.setAttribute("fill-opacity", this.values[index] / 16));
    this.field.value = this.values.some(Boolean) ? this.values.map((value) => value * this.unit).join(",") : "";
  }

  clear() {
    this.values.fill(0);
    this.draw();
  }

  submit() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.field.value && this.form.requestSubmit(), 300);
  }
}

// Bringing a file: its size is looked at before it is sent, and how much of it is sent is shown

const megabytes = (bytes) => `${(bytes / 1e6).toLocaleString("en", { maximumFractionDigits: 1 })} MB`;

document.addEventListener("dragover", (event) => {
  const field = event.target.closest?.("[data-upload]")?.querySelector("[type=file]");
  if (!field) return;
  event.preventDefault(); // so that a file dropped anywhere on the form is taken
  field.classList.add("over");
});

for (const name of ["dragleave", "drop"]) document.addEventListener(name, (event) => {
  const field = event.target.closest?.("[data-upload]")?.querySelector("[type=file]");
  field?.classList.remove("over");
  if (!field || name !== "drop" || !event.dataTransfer.files.length) return;
  event.preventDefault();
  field.files = event.dataTransfer.files;
  field.dispatchEvent(new Event("change", { bubbles: true }));
});

document.addEventListener("change", (event) => {
  const field = event.target.closest?.("[data-upload] [type=file]");
  if (!field) return;
  const [file, most] = [field.files[0], Number(field.dataset.bytesMax)];
  const wrong = file && file.size > most
    ? `${file.name} has ${megabytes(file.size)}; at most ${megabytes(most)} are taken at once.` : "";
  field.setCustomValidity(wrong);
  field.reportValidity();
});

document.addEventListener("htmx:beforeRequest", (event) => {
  const field = event.target.closest?.("[data-upload]")?.querySelector("[type=file]");
  if (field && !field.reportValidity()) event.preventDefault();
});

document.addEventListener("htmx:xhr:progress", (event) => {
  const shown = event.target.querySelector?.("[data-upload-progress]");
  if (!shown || !event.detail.lengthComputable || !event.target.querySelector("[type=file]")?.value) return;
  const { loaded, total } = event.detail;
  shown.hidden = false;
  shown.querySelector("progress").value = (100 * loaded) / total;
  shown.querySelector("[role=status]").textContent = loaded < total
    ? `${megabytes(loaded)} of ${megabytes(total)} sent` : "All of it is sent; it is being stored.";
});

function enhance(within) {
  for (const button of within.querySelectorAll("[data-copy], [data-theme-toggle]")) button.hidden = false;
  for (const chart of within.querySelectorAll("svg[data-chart]")) chart.setAttribute("tabindex", "0");
  for (const pad of within.querySelectorAll("[data-pad]")) {
    if (!pads.has(pad)) pads.set(pad, new Pad(pad));
  }
}

// Swaps: what was open stays open, and the focus never falls out of the page

let before = null;

// An element without an id is found again as the n-th of its kind within the nearest one that has.
function addressOf(element) {
  const anchor = element.closest("[id]");
  const tag = element.localName;
  return { id: anchor.id, tag, index: [...anchor.querySelectorAll(tag)].indexOf(element) };
}

document.addEventListener("htmx:beforeSwap", (event) => {
  const target = event.detail.target;
  before = {
    focus: target.contains(document.activeElement) ? addressOf(document.activeElement) : null,
    targetId: target.id,
    open: [...target.querySelectorAll("details[id][open]")].map((details) => details.id),
  };
});

document.addEventListener("htmx:afterSettle", () => {
  if (!before) return;
  for (const id of before.open) document.getElementById(id)?.setAttribute("open", "");
  if (before.focus && document.activeElement === document.body) {
    const { id, tag, index } = before.focus;
    const errors = document.getElementById("error-summary");
    const same = document.getElementById(id)?.querySelectorAll(tag)[index];
    const place = errors || same || document.getElementById(before.targetId);
    if (place && place.tabIndex < 0) place.setAttribute("tabindex", "-1");
    place?.focus({ preventScroll: !errors });
  }
  before = null;
});

// A button that is disabled while its request is on the way loses the focus: it gets it back.

let pressed = null;

document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.target.contains(document.activeElement)) pressed = document.activeElement;
});

document.addEventListener("htmx:afterRequest", (event) => {
  if (!event.target.contains(pressed)) return;
  if (document.activeElement === document.body) pressed.focus({ preventScroll: true });
  pressed = null;
});

// An answer that a button asked for is shown, also where the page is long; a drawing stays in sight.

document.addEventListener("htmx:afterSettle", (event) => {
  const { elt, requestConfig } = event.detail;
  if (!elt.matches("[data-into-view]") || !requestConfig?.triggeringEvent?.submitter) return;
  elt.scrollIntoView({ block: "nearest" });
});

// What comes along with an answer never takes away what a person is typing in; errors that came are
// tied to the inputs that stayed.

document.addEventListener("htmx:oobBeforeSwap", (event) => {
  const { target, fragment } = event.detail;
  // What is read out is left alone while it says the same, so that no poll repeats it.
  if (target.closest("[role=status]") && target.textContent.trim() === fragment.textContent.trim()) {
    event.detail.shouldSwap = false;
    return;
  }
  const active = document.activeElement;
  const types = active?.matches("input:not([type=checkbox], [type=radio]), textarea");
  if (types && event.detail.target.contains(active)) event.detail.shouldSwap = false;
});

document.addEventListener("htmx:oobAfterSwap", (event) => {
  if (!event.target.matches(".field > .error[id]")) return;
  const input = event.target.parentElement.querySelector("input, select, textarea");
  if (event.target.textContent) input?.setAttribute("aria-invalid", "true");
  else input?.removeAttribute("aria-invalid");
});

document.addEventListener("htmx:load", (event) => enhance(event.detail.elt));

// Push: while a stream is open, what stands in it is told of changes and need not ask

document.addEventListener("htmx:sseOpen", (event) => event.target.setAttribute("data-told", ""));
for (const name of ["htmx:sseError", "htmx:sseClose"]) {
  document.addEventListener(name, (event) => event.target.removeAttribute("data-told"));
}
document.addEventListener("htmx:beforeRequest", (event) => {
  const asked = event.detail.requestConfig;
  const isPoll = asked.verb === "get" && !asked.triggeringEvent;
  if (isPoll && event.target.closest("[data-told]")) event.preventDefault();
});

function say(text) {
  const toast = document.createElement("p");
  toast.className = "message error toast";
  toast.textContent = text;
  document.getElementById("messages")?.append(toast);
  setTimeout(() => toast.remove(), 8000);
}

document.addEventListener("htmx:sendError", () => say("The site cannot be reached. Your page is kept; try again."));
document.addEventListener("htmx:responseError", ({ detail: { xhr } }) => say(xhr.status === 429
  ? `Too much was asked at once. Try again in ${xhr.getResponseHeader("Retry-After") ?? "a few"} seconds.`
  : `That did not work (${xhr.status}). Reload the page to see where things stand.`));

enhance(document);
for (const here of document.querySelectorAll(".site-nav [aria-current], nav > .facets [aria-current]")) {
  here.parentElement.scrollIntoView({ block: "nearest", inline: "center" }); // rows that scroll sideways
}
