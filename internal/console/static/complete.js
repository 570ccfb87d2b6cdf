// Completion of a query: fields and their values in the filter, stages after a
// pipe, fields and functions in a stage. An ARIA combobox whose listbox follows
// the word at the cursor.

const values = {
  granted: ["true", "false"],
  success: ["true", "false"],
  kind: ["authentication", "authorization", "access"],
  _signature: ["valid", "invalid", "unsigned", '"unknown key"'],
  action: ["list", "retrieve", "create", "edit", "delete"],
  act: ["POST", "PUT", "PATCH", "DELETE"],
};

let words; // fetched when the first is needed
async function load() {
  words ??= fetch("/search/words", { credentials: "same-origin" }).then((a) => (a.ok ? a.json() : []), () => []);
  return words;
}

// place tells what stands before the cursor: the word that is being written, and
// what may stand there.
export function place(text) {
  const quoted = (text.match(/(?<!\\)"/g) ?? []).length % 2 === 1;
  if (quoted) return null;
  const pipe = text.lastIndexOf("|");
  const value = text.match(/([\w.]+)\s*!?=\s*([\w.-]*)$/);
  if (value) return { kinds: ["value"], field: value[1], word: value[2] };
  const word = text.match(/[\w.]*$/)[0];
  if (pipe < 0) return { kinds: ["field"], word, suffix: "=" };
  if (/^\s*[\w.]*$/.test(text.slice(pipe + 1))) return { kinds: ["stage", "aggregate"], word, suffix: " " };
  return { kinds: ["field", "function", "aggregate"], word };
}

// found are the fields that the results on the page have, with their values.
function found() {
  const fields = new Map();
  for (const row of document.querySelectorAll(".fields tr")) {
    const name = row.cells[0].textContent;
    const value = row.cells[1].textContent;
    if (!fields.has(name)) fields.set(name, new Set());
    if (/^[\w.-]{1,60}$/.test(value)) fields.get(name).add(value);
  }
  return fields;
}

async function candidates(at) {
  const word = at.word.toLowerCase();
  const begins = (name) => name.toLowerCase().startsWith(word) && name.toLowerCase() !== word;
  const seen = found();
  if (at.kinds[0] === "value") {
    const known = values[at.field] ?? (seen.get(at.field)?.size <= 20 ? [...seen.get(at.field)] : []);
    return known.filter(begins).map((name) => ({ name, meaning: "" }));
  }
  if (!word && at.kinds[0] === "field") return [];
  const list = (await load()).filter((w) => at.kinds.includes(w.kind) && begins(w.name));
  if (at.kinds.includes("field")) {
    for (const name of seen.keys()) {
      if (begins(name) && !list.some((w) => w.name === name)) list.push({ name, kind: "field", meaning: "In these results." });
    }
  }
  return list.slice(0, 50);
}

export function complete(input) {
  const list = document.createElement("ul");
  list.className = "words";
  list.id = "words";
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Words to complete the query with");
  input.after(list);
  input.setAttribute("role", "combobox");
  input.setAttribute("aria-autocomplete", "list");
  input.setAttribute("aria-controls", list.id);
  input.setAttribute("aria-expanded", "false");
  let at = null;
  let chosen = -1;
  let turn = 0;

  const close = () => {
    turn++;
    list.hidden = true;
    chosen = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const choose = (i) => {
    chosen = i;
    [...list.children].forEach((item, n) => item.setAttribute("aria-selected", String(n === i)));
    if (i < 0) return input.removeAttribute("aria-activedescendant");
    input.setAttribute("aria-activedescendant", list.children[i].id);
    list.children[i].scrollIntoView({ block: "nearest" });
  };
  const take = (name) => {
    const before = input.value.slice(0, input.selectionStart - at.word.length);
    const after = input.value.slice(input.selectionEnd);
    const text = name + (after ? "" : at.suffix ?? "");
    input.value = before + text + after;
    input.selectionStart = input.selectionEnd = before.length + text.length;
    close();
    input.dispatchEvent(new Event("input"));
  };
  const open = async () => {
    const mine = ++turn;
    at = input.selectionStart === input.selectionEnd ? place(input.value.slice(0, input.selectionStart)) : null;
    const items = at ? await candidates(at) : [];
    if (mine !== turn) return;
    if (!items.length) return close();
    list.replaceChildren(...items.map((word, i) => item(word, i)));
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    choose(-1);
  };
  const item = (word, i) => {
    const li = document.createElement("li");
    li.id = `word-${i}`;
    li.setAttribute("role", "option");
    for (const [name, text] of [["name", word.name], ["meaning", word.syntax || word.meaning]]) {
      const span = document.createElement("span");
      span.className = name;
      span.textContent = text;
      li.append(span);
    }
    li.addEventListener("pointerdown", (event) => { event.preventDefault(); take(word.name); });
    return li;
  };

  input.addEventListener("input", open);
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (event.ctrlKey && event.key === " ") { event.preventDefault(); open(); return; }
    if (list.hidden) return;
    const count = list.children.length;
    if (event.key === "ArrowDown") { event.preventDefault(); choose((chosen + 1) % count); }
    else if (event.key === "ArrowUp") { event.preventDefault(); choose((chosen - 1 + count) % count); }
    else if (event.key === "Escape") { event.preventDefault(); close(); }
    else if ((event.key === "Enter" || event.key === "Tab") && chosen >= 0) {
      event.preventDefault();
      take(list.children[chosen].querySelector(".name").textContent);
    }
  });
}
