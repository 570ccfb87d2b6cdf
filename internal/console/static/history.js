// What was asked before, on this browser only.

const key = "trailhook.queries";
const most = 20;

function read() {
  try {
    const list = JSON.parse(localStorage.getItem(key) ?? "[]");
    return Array.isArray(list) ? list.filter((q) => typeof q === "string").slice(0, most) : [];
  } catch {
    return [];
  }
}

export function remember(query) {
  if (!query.trim()) return;
  const list = [query, ...read().filter((q) => q !== query)].slice(0, most);
  try { localStorage.setItem(key, JSON.stringify(list)); } catch { /* full, or forbidden */ }
}

export function showHistory(where) {
  const list = read();
  if (!where || !list.length) return;
  const box = document.createElement("details");
  box.className = "history";
  box.dataset.menu = "";
  const summary = document.createElement("summary");
  summary.className = "button quiet";
  summary.textContent = "Asked before";
  const items = document.createElement("ul");
  for (const query of list) {
    const link = document.createElement("a");
    const address = new URL(location);
    for (const name of ["before", "skip", "sort", "view"]) address.searchParams.delete(name);
    address.searchParams.set("query", query);
    link.href = address;
    link.textContent = query;
    const item = document.createElement("li");
    item.append(link);
    items.append(item);
  }
  box.append(summary, items);
  where.prepend(box);
  document.addEventListener("click", (event) => { if (!box.contains(event.target)) box.open = false; });
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { box.open = false; summary.focus(); }
  });
}
