// The audit log setup: what it shows is renewed while somebody looks at it, and
// times are told as people tell them.
import { enliven } from "./console.js";
import { parse } from "./load.js";
import { zone } from "./times.js";

const two = (n) => String(n).padStart(2, "0");
const clock = (date) => `${two(date.getHours())}:${two(date.getMinutes())}`;
const day = (date) => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;

// spoken names a time on the reader's clock, as spoken.go does in UTC.
function spoken(date, now) {
  const midnight = (d) => new Date(d.getFullYear(), d.getMonth(), d.getDate());
  const apart = Math.abs(Math.round((midnight(date) - midnight(now)) / 86400000));
  if (apart === 0) return clock(date);
  if (apart < 7) return `${date.toLocaleDateString("en", { weekday: "long" })} ${clock(date)}`;
  return `${day(date)} ${clock(date)}`;
}

function showSpoken(root) {
  const now = new Date();
  for (const time of root.querySelectorAll("time[data-spoken]")) {
    const date = new Date(time.dateTime);
    if (!isNaN(date)) time.textContent = spoken(date, now);
  }
}

// renew fetches a part of the page again, and tells whether it could. Every look
// is a call that is audited: there is none while nobody sees the page.
async function renew(box, address) {
  if (document.hidden || box.contains(document.activeElement)) return true;
  try {
    const answer = await fetch(address, { credentials: "same-origin" });
    if (!answer.ok) return false;
    const fragment = parse(await answer.text());
    box.replaceChildren(fragment);
    enliven(box);
    showSpoken(box);
    return true;
  } catch {
    return false; // the server is away: the next look may find it
  }
}

// watch renews a box for as long as more() says so, with pauses from the first to
// the last, in milliseconds.
async function watch(box, address, first, last, more) {
  for (let pause = first; more(); pause = Math.min(pause * 1.5, last)) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    if (!await renew(box, address)) pause = last;
  }
}

function watchDelivery() {
  const box = document.querySelector("[data-live]");
  if (!box) return;
  const tool = document.createElement("button");
  tool.type = "button";
  tool.className = "quiet";
  let on = true;
  const label = () => {
    tool.textContent = on ? "Stop renewing this" : "Renew this again";
  };
  const begin = () => watch(box, box.dataset.live, 5000, 15000, () => on);
  tool.addEventListener("click", () => {
    on = !on;
    label();
    if (on) begin();
  });
  label();
  box.after(tool);
  begin();
}

function watchJobs() {
  const box = document.querySelector("[data-jobs]");
  if (box) watch(box, box.dataset.jobs, 500, 5000, () => box.querySelector("[data-running]"));
}

// watchSlow shows that something takes its time, and that it was asked for.
function watchSlow() {
  for (const form of document.querySelectorAll("form[data-slow]")) {
    form.addEventListener("submit", () => {
      const progress = form.querySelector("[data-progress]");
      if (progress) progress.hidden = false;
      setTimeout(() => { for (const button of form.querySelectorAll("button")) button.disabled = true; });
    });
  }
  addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-slow]")) {
      for (const e of form.querySelectorAll("button")) e.disabled = false;
      for (const e of form.querySelectorAll("[data-progress]")) e.hidden = true;
    }
  });
}

function watchScope() {
  const form = document.querySelector("[data-scope]");
  if (!form) return;
  form.dataset.scope = "live";
  for (const select of form.querySelectorAll("select")) select.addEventListener("change", () => form.requestSubmit());
}

// watchTimes has the replay's times on the reader's clock, and shows them only
// where they count.
function watchTimes() {
  const last = document.querySelector("[data-last]");
  if (!last) return;
  const form = last.form;
  const given = form.querySelector("[data-zone]");
  if (!given.value) {
    given.value = zone();
    form.querySelector("[data-zone-name]").textContent = `(${zone()})`;
    for (const field of form.querySelectorAll("input[type=datetime-local]")) {
      const date = new Date(field.value + "Z");
      if (!isNaN(date)) field.value = `${day(date)}T${clock(date)}`;
    }
  }
  const times = form.querySelector("[data-times]");
  const show = () => { times.hidden = last.value !== "custom"; };
  last.addEventListener("change", show);
  show();
}

showSpoken(document);
watchDelivery();
watchJobs();
watchSlow();
watchScope();
watchTimes();
document.querySelector("main [aria-invalid=true]")?.focus();
