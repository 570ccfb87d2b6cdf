// Lines as they come in, the newest first. What a line says is only ever text.
import { localTime, showTimes } from "./times.js";
import { complete } from "./complete.js";

const most = 500; // rows that are kept, and lines that wait while it is paused

const box = document.querySelector("[data-tail]");
const state = box.querySelector("[data-state]");
const rows = box.querySelector("[data-rows]");
const list = rows.querySelector("ol");
const waiting = box.querySelector("[data-waiting]");
const count = box.querySelector("[data-count]");
const pause = box.querySelector("[data-pause]");

let paused = false;
let held = [];
let forgotten = 0; // lines that came while it was paused and were too many
let total = 0;
let missed = 0;

const element = (name, className, text) => {
  const e = document.createElement(name);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
};

const badges = { valid: "good", invalid: "bad", "unknown key": "doubt" };

function action(line) {
  switch (line.kind) {
    case "authorization": return `${line.action ?? ""}, ${line.granted === "true" ? "granted" : "denied"}`;
    case "authentication":
      return `sign in, ${(line.name ?? "").replace("AUTHENTICATION_OUTCOME_", "").replaceAll("_", " ").toLowerCase()}`;
    case "access": return `${line.act ?? ""} ${line.request ?? ""}, ${line.status ?? ""}`;
  }
  return line.act ?? "";
}

function row(line) {
  const item = element("li");
  item.dataset.row = "";
  const details = element("details");
  const summary = element("summary");
  const time = element("time");
  time.dateTime = line._time;
  time.title = `${line._time.replace("T", " ").slice(0, 19)} UTC`;
  time.textContent = localTime(new Date(line._time));
  const verdict = element("span");
  if (line._signature) verdict.append(element("span", `badge ${badges[line._signature] ?? "plain"}`, line._signature));
  const first = element("span");
  first.append(time);
  summary.append(first, verdict,
    element("span", "", line.name || line._raw.slice(0, 80)),
    element("span", "", action(line)),
    element("span", "", line.principal_name || line.principal_id || line.suser || ""),
    element("span", "", line.src ?? ""));
  details.append(summary);
  details.addEventListener("toggle", () => { if (details.children.length === 1) details.append(inside(line)); });
  item.append(details);
  return item;
}

// inside is made when the row is opened.
function inside(line) {
  const open = element("div", "open");
  const table = element("table", "fields");
  const body = element("tbody");
  for (const name of Object.keys(line).sort()) {
    if (name === "_raw" || !line[name]) continue;
    const tr = element("tr");
    const th = element("th", "", name);
    th.scope = "row";
    tr.append(th, element("td", "", line[name]));
    body.append(tr);
  }
  table.append(body);
  const raw = element("pre", "", line._raw);
  raw.tabIndex = 0;
  const about = element("div", "about");
  about.append(raw);
  open.append(about, table);
  return open;
}

function show(lines) {
  const fragment = document.createDocumentFragment();
  for (const line of lines.reverse()) fragment.append(row(line));
  list.prepend(fragment);
  while (list.children.length > most) list.lastElementChild.remove();
  rows.hidden = list.children.length === 0;
  waiting.hidden = !rows.hidden;
}

let pending = [];
let painting = false;
function take(line) {
  total++;
  if (paused) {
    held.push(line);
    if (held.length > most) { held.shift(); forgotten++; }
    return;
  }
  pending.push(line);
  if (pending.length > most) pending.shift();
  if (painting) return;
  painting = true;
  setTimeout(() => { // together what came together
    painting = false;
    const lines = pending;
    pending = [];
    show(lines);
  }, 100);
}

// tell says politely, once a second at most, how many there are.
let told = "";
setInterval(() => {
  const parts = [];
  if (total) parts.push(`${total.toLocaleString("en")} ${total === 1 ? "line" : "lines"} came in`);
  if (list.children.length >= most) parts.push(`the newest ${most} are shown`);
  if (paused && held.length) parts.push(`${held.length} wait`);
  if (forgotten) parts.push(`${forgotten.toLocaleString("en")} were too many to wait and are not shown`);
  if (missed) parts.push(`${missed.toLocaleString("en")} were missed, as they came too fast`);
  const text = parts.join(", ");
  if (text !== told) count.textContent = told = text;
}, 1000);

function say(kind, text) {
  state.replaceChildren(element("span", `badge ${kind}`, text));
}

pause.addEventListener("click", () => {
  paused = !paused;
  pause.textContent = paused ? "Resume" : "Pause";
  pause.setAttribute("aria-pressed", String(paused));
  if (paused) return say("doubt", "paused");
  say("good", "live");
  const lines = held;
  held = [];
  forgotten = 0;
  show(lines);
});
box.querySelector("[data-clear]").addEventListener("click", () => {
  list.replaceChildren();
  held = [];
  total = missed = forgotten = 0;
  show([]);
});

let source;
let again = 1; // seconds until the next try
function follow() {
  source = new EventSource(box.dataset.tail);
  source.addEventListener("open", () => {
    again = 1;
    if (!paused) say("good", "live");
    waiting.hidden = !rows.hidden;
  });
  source.addEventListener("message", (event) => take(JSON.parse(event.data)));
  source.addEventListener("dropped", (event) => { missed += JSON.parse(event.data).count; });
  source.addEventListener("end", () => retry("The server ended the stream"));
  source.addEventListener("refused", (event) => refuse(JSON.parse(event.data)));
  source.addEventListener("error", () => retry("Not connected"));
}

function retry(why) {
  source.close();
  say("bad", `${why}: trying again in ${again} s`);
  setTimeout(follow, again * 1000);
  again = Math.min(again * 2, 30);
}

function refuse(problem) {
  source.close();
  if (problem.again) return retry(problem.what);
  say("bad", "not followed");
  waiting.hidden = true;
  const told = element("section", "problem");
  told.setAttribute("role", "alert");
  told.append(element("h2", "", problem.title), element("p", "", problem.what));
  if (problem.try) told.append(element("p", "", problem.try));
  box.querySelector("[data-refused]").replaceChildren(told);
}

const query = document.querySelector("[data-query]");
complete(query); // before what else listens: Enter takes a word that is chosen
query.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.defaultPrevented) return;
  event.preventDefault();
  query.form.requestSubmit();
});
box.querySelector("[data-tools]").hidden = false;
addEventListener("pagehide", () => source.close());
showTimes(box);
follow();
