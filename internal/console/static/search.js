// The search page: times in the reader's zone, what was asked before, words to
// complete, and a histogram that narrows the time by dragging.
import { zone } from "./times.js";
import { complete } from "./complete.js";
import { remember, showHistory } from "./history.js";

const form = document.querySelector("[data-ask]");
const query = form.querySelector("[data-query]");

for (const field of document.querySelectorAll("[data-zone]")) field.value ||= zone();
const zoneName = document.querySelector("[data-zone-name]");
if (zoneName) zoneName.textContent = form.querySelector("[data-zone]").value;

complete(query); // before what else listens: Enter takes a word that is chosen

// A choice of a time runs the search, and so does Enter; Shift+Enter is a new line.
const from = form.querySelector("[data-from]");
from.addEventListener("change", () => {
  form.querySelector("[data-to]")?.remove();
  if (from.value === "custom") {
    form.querySelector(".between").open = true;
    form.querySelector("[data-since]").focus();
    return;
  }
  form.requestSubmit();
});
form.addEventListener("submit", (event) => {
  if (from.value === "custom") {
    event.preventDefault();
    document.getElementById("between").requestSubmit();
  }
});
query.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.defaultPrevented) return;
  event.preventDefault();
  form.requestSubmit();
});
const same = document.querySelector("[data-same-query]");
query.addEventListener("input", () => { same.value = query.value; });

if (!form.querySelector("[aria-invalid]")) remember(query.value);
showHistory(document.querySelector(".tools .actions"));
if (query.getAttribute("aria-invalid")) query.focus();

function watchHistogram() {
  for (const figure of document.querySelectorAll("[data-histogram]:not([data-watched])")) {
    figure.dataset.watched = "yes";
    watchBrush(figure);
    roam(figure.querySelectorAll("svg a"));
  }
}

// One stop of the Tab key for all bars; arrows go from one to the next.
function roam(bars) {
  bars.forEach((bar, i) => {
    bar.setAttribute("tabindex", i ? "-1" : "0");
    bar.addEventListener("keydown", (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const next = by && bars[i + by];
      if (!next) return;
      event.preventDefault();
      bar.setAttribute("tabindex", "-1");
      next.setAttribute("tabindex", "0");
      next.focus();
    });
  });
}

function watchBrush(figure) {
  const svg = figure.querySelector("svg");
  const brush = svg.querySelector(".brush");
  const begin = Date.parse(figure.dataset.begin);
  const end = Date.parse(figure.dataset.end);
  let start = null;
  let dragged = false;
  const place = (event) => {
    const box = svg.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  };
  const time = (x) => new Date(Math.round(begin + (end - begin) * x)).toISOString();
  svg.addEventListener("dragstart", (event) => event.preventDefault());
  svg.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    start = place(event);
    dragged = false;
  });
  svg.addEventListener("pointermove", (event) => {
    if (start === null) return;
    const at = place(event);
    if (!dragged && Math.abs(at - start) < 0.005) return;
    if (!dragged) svg.setPointerCapture(event.pointerId);
    dragged = true;
    brush.setAttribute("x", Math.min(start, at) * 1000);
    brush.setAttribute("width", Math.abs(at - start) * 1000);
  });
  const finish = (event) => {
    if (start === null) return;
    const ends = [start, place(event)].sort((a, b) => a - b);
    start = null;
    if (!dragged || event.type === "pointercancel") return brush.setAttribute("width", 0);
    const address = new URL(location);
    for (const name of ["before", "skip", "sort"]) address.searchParams.delete(name);
    address.searchParams.set("from", time(ends[0]));
    address.searchParams.set("to", time(ends[1]));
    location.assign(address);
  };
  svg.addEventListener("pointerup", finish);
  svg.addEventListener("pointercancel", finish);
  svg.addEventListener("click", (event) => { if (dragged) event.preventDefault(); }, true);
}

watchHistogram();
document.addEventListener("trailhook:loaded", watchHistogram);
