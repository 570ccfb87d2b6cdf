// Parts of a page that are fetched when the page is there, with progress and a
// way to stop. What comes is HTML of our own server, made by its templates.

const policy = window.trustedTypes
  ? trustedTypes.createPolicy("fragment", { createHTML: (html) => html })
  : { createHTML: (html) => html };

// parse makes nodes of a fragment. Scripts in it would not run.
export function parse(html) {
  const body = new DOMParser().parseFromString(policy.createHTML(html), "text/html").body;
  const fragment = document.createDocumentFragment();
  fragment.append(...body.childNodes);
  return fragment;
}

export function watchLoads(root, enliven) {
  for (const box of root.querySelectorAll("[data-load]")) load(box, enliven);
}

async function load(box, enliven) {
  const stop = new AbortController();
  const progress = box.querySelector(".progress");
  const begun = Date.now();
  const show = setTimeout(() => { progress.hidden = false; }, 150);
  const tick = setInterval(() => {
    box.querySelector("[data-elapsed]").textContent = `${Math.round((Date.now() - begun) / 1000)} s`;
  }, 1000);
  box.querySelector("[data-stop]").addEventListener("click", () => stop.abort());
  addEventListener("pagehide", () => stop.abort(), { once: true });
  box.setAttribute("aria-busy", "true");
  let fragment;
  try {
    const answer = await fetch(box.dataset.load, { signal: stop.signal, credentials: "same-origin" });
    fragment = parse(await answer.text());
  } catch (error) {
    fragment = document.createDocumentFragment();
    const note = document.createElement("p");
    note.className = "notice doubt";
    note.textContent = stop.signal.aborted
      ? "Stopped. Reload the page to ask again."
      : "The server cannot be reached: reload the page to try again.";
    fragment.append(note);
  }
  clearTimeout(show);
  clearInterval(tick);
  delete box.dataset.load;
  box.removeAttribute("aria-busy");
  box.replaceChildren(fragment);
  enliven(box);
  document.dispatchEvent(new CustomEvent("trailhook:loaded"));
}
