// What every page needs. Pages work without it; it makes them quicker to use.
import { showTimes } from "./times.js";
import { watchLoads } from "./load.js";
import { watchKeys } from "./keys.js";

// enliven makes what was inserted into the page work like what was there.
export function enliven(root) {
  showTimes(root);
  watchCopies(root);
  watchConfirms(root);
  watchLoads(root, enliven);
}

function watchCopies(root) {
  for (const box of root.querySelectorAll("[data-copy]")) {
    const button = box.querySelector("button");
    if (!navigator.clipboard) continue; // not over plain HTTP
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(box.querySelector("pre, code, input").textContent);
      const label = button.firstChild;
      const before = label.textContent;
      label.textContent = "Copied";
      setTimeout(() => { label.textContent = before; }, 2000);
    });
  }
}

// watchConfirms asks in a dialog what otherwise stands below the button.
function watchConfirms(root) {
  for (const box of root.querySelectorAll("[data-confirm]")) {
    const form = box.querySelector("form");
    const dialog = document.createElement("dialog");
    dialog.setAttribute("aria-label", form.querySelector("strong").textContent);
    const cancel = form.querySelector("[data-cancel]");
    cancel.hidden = false;
    cancel.addEventListener("click", () => dialog.close());
    box.querySelector("summary").addEventListener("click", (event) => {
      event.preventDefault();
      if (!dialog.isConnected) {
        dialog.append(form);
        document.body.append(dialog);
      }
      dialog.showModal();
      cancel.focus();
    });
  }
}

function watchTheme() {
  const form = document.querySelector("[data-theme-switch]");
  const select = form.querySelector("select");
  select.addEventListener("change", () => {
    if (select.value) document.documentElement.dataset.theme = select.value;
    else delete document.documentElement.dataset.theme;
    const age = select.value ? 31536000 : 0;
    document.cookie = `trailhook_theme=${select.value}; path=/; samesite=strict; max-age=${age}`;
  });
}

// A menu closes when something else is chosen, or with Escape.
function watchMenus() {
  const menus = document.querySelectorAll("[data-menu]");
  document.addEventListener("click", (event) => {
    for (const menu of menus) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of menus) {
      if (menu.open && menu.contains(document.activeElement)) menu.querySelector("summary").focus();
      menu.open = false;
    }
  });
}

// The server need not wait for what scripts fetch later.
document.cookie = "trailhook_scripts=1; path=/; samesite=strict";
watchTheme();
watchMenus();
watchKeys();
enliven(document);
