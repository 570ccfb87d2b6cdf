// Keyboard shortcuts. A row is an element with data-row: j and k go from one to
// the next, Enter or o opens its first summary or link.

const writing = (element) => element?.closest("input, textarea, select, [contenteditable]");

export function watchKeys() {
  let go = 0; // when g was pressed
  const dialog = document.getElementById("shortcuts");
  for (const button of document.querySelectorAll("[data-shortcuts]")) {
    button.hidden = !dialog;
    button.addEventListener("click", () => dialog.showModal());
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || writing(event.target) || document.querySelector("dialog[open]")) return;
    if (go && Date.now() - go < 1500) {
      go = 0;
      const link = document.querySelector(`[data-go="${CSS.escape(event.key)}"]`);
      if (link) location.assign(link.href);
      return;
    }
    if (event.key === "g") { go = Date.now(); return; }
    if (event.key === "/") focusQuery(event);
    else if (event.key === "?" && dialog) dialog.showModal();
    else if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
    else if (event.key === "o") open(event);
  });
}

function focusQuery(event) {
  const query = document.querySelector("[data-query]");
  if (!query) return;
  event.preventDefault();
  query.focus();
  query.select();
}

function step(by) {
  const rows = [...document.querySelectorAll("[data-row]")];
  if (!rows.length) return;
  const at = rows.indexOf(document.activeElement?.closest("[data-row]"));
  const row = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + by))];
  const target = row.querySelector("summary, a, button") ?? row;
  target.focus();
  target.scrollIntoView({ block: "nearest" });
}

// Enter opens what has the focus by itself.
function open(event) {
  const row = document.activeElement?.closest("[data-row]");
  if (!row) return;
  event.preventDefault();
  row.querySelector("summary, a, button")?.click();
}
