// Answers with what keeps people out of the page: a list of sentences, empty if
// there is nothing. The rules are those of WCAG 2.2, level AA, that a program can
// decide.
(() => {
  const problems = [];
  const where = e => `<${e.tagName.toLowerCase()}${e.id ? "#" + e.id : ""}${e.classList.length ? "." + [...e.classList].join(".") : ""}> ${(e.textContent || "").trim().replace(/\s+/g, " ").slice(0, 40)}`;
  const say = (rule, e) => { if (problems.length < 40) problems.push(e ? `${rule}: ${where(e)}` : rule); };
  const shown = e => e.checkVisibility({ visibilityProperty: true });
  const byIds = ids => ids.trim().split(/\s+/).map(id => document.getElementById(id));

  // The name that a screen reader speaks.
  const name = e => {
    if (e.hasAttribute("aria-labelledby")) return byIds(e.getAttribute("aria-labelledby")).map(l => l ? l.textContent : "").join(" ").trim();
    if ((e.getAttribute("aria-label") || "").trim()) return e.getAttribute("aria-label").trim();
    if (e.labels && e.labels.length) return [...e.labels].map(l => l.textContent).join(" ").trim();
    if (e.matches("input[type=submit], input[type=button]")) return e.value;
    if (e.matches("img")) return e.alt;
    const text = (e.innerText || e.textContent || "").trim();
    if (text) return text;
    const inner = e.querySelector("img[alt], svg[aria-label], svg title");
    if (inner) return inner.getAttribute("alt") || inner.getAttribute("aria-label") || inner.textContent;
    return (e.getAttribute("title") || "").trim();
  };

  // The document.
  if (!document.documentElement.lang) say("the document has no language");
  if (!document.title.trim()) say("the document has no title");
  if (document.querySelectorAll("main, [role=main]").length !== 1) say("there is not exactly one main landmark");
  const h1 = [...document.querySelectorAll("h1")].filter(shown);
  if (h1.length !== 1) say(`there are ${h1.length} headings of the first level`);
  let level = 0;
  for (const h of document.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
    if (!shown(h)) continue;
    const now = Number(h.tagName[1]);
    if (level && now > level + 1) say(`a heading of level ${now} follows one of level ${level}`, h);
    if (!h.textContent.trim()) say("a heading is empty", h);
    level = now;
  }
  const skip = document.querySelector("a[href^='#']");
  if (!skip || !document.getElementById(skip.hash.slice(1))) say("the first link does not skip to the content");
  const viewport = document.querySelector("meta[name=viewport]");
  if (!viewport || /user-scalable\s*=\s*no|maximum-scale/.test(viewport.content)) say("the page cannot be enlarged on a phone");
  if (document.documentElement.scrollWidth > window.innerWidth + 1) {
    const wide = [...document.querySelectorAll("body *")].find(e => shown(e) && e.getBoundingClientRect().right > window.innerWidth + 1 && !e.closest("[data-scrolls]"));
    say(`the page is ${document.documentElement.scrollWidth} px wide in a window of ${window.innerWidth}`, wide);
  }

  // Names, roles, references.
  const seen = new Set();
  for (const e of document.querySelectorAll("[id]")) {
    if (seen.has(e.id)) say("an id is there twice", e);
    seen.add(e.id);
  }
  for (const e of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
    if (shown(e) && !name(e)) say("a field has no label", e);
  }
  for (const e of document.querySelectorAll("a[href], button, summary, [role=button], [role=link], [role=tab], [role=menuitem]")) {
    if (shown(e) && !name(e)) say("what can be pressed has no name", e);
  }
  for (const e of document.querySelectorAll("a:not([href])")) if (shown(e)) say("a link leads nowhere", e);
  for (const e of document.querySelectorAll("img:not([alt])")) say("a picture has no text", e);
  for (const e of document.querySelectorAll("svg")) {
    if (shown(e) && e.getAttribute("aria-hidden") !== "true" && !(e.getAttribute("role") === "img" && name(e)) && !e.closest("[aria-hidden=true]") && !e.querySelector("a, [role]"))
      say("a drawing is neither named nor hidden", e);
  }
  for (const e of document.querySelectorAll("nav, section[role]:not([role=alert], [role=status]), [role=region], [role=dialog], dialog[open], [role=listbox], [role=combobox]")) {
    const several = e.tagName !== "NAV" || document.querySelectorAll("nav").length > 1;
    if (shown(e) && several && !e.getAttribute("aria-label") && !e.getAttribute("aria-labelledby") && !(e.labels && e.labels.length)) say("a landmark or widget has no label", e);
  }
  const roles = new Set("alert alertdialog application article banner button cell checkbox columnheader combobox complementary contentinfo dialog document feed figure form grid gridcell group heading img link list listbox listitem log main marquee math menu menubar menuitem menuitemcheckbox menuitemradio meter navigation none note option presentation progressbar radio radiogroup region row rowgroup rowheader scrollbar search searchbox separator slider spinbutton status switch tab table tablist tabpanel term textbox timer toolbar tooltip tree treegrid treeitem".split(" "));
  for (const e of document.querySelectorAll("[role]")) if (!roles.has(e.getAttribute("role"))) say("there is no such role", e);
  for (const attribute of ["aria-labelledby", "aria-describedby", "aria-controls", "aria-activedescendant", "aria-owns", "for"]) {
    for (const e of document.querySelectorAll(`[${attribute}]`)) {
      const value = e.getAttribute(attribute);
      if (value && byIds(value).some(x => !x)) say(`${attribute} names what is not there (${value})`, e);
    }
  }
  for (const e of document.querySelectorAll("[aria-expanded], [aria-pressed], [aria-selected], [aria-checked]"))
    for (const a of ["aria-expanded", "aria-pressed", "aria-selected", "aria-checked"])
      if (e.hasAttribute(a) && !["true", "false", "mixed"].includes(e.getAttribute(a))) say(`${a} has no state`, e);
  for (const e of document.querySelectorAll("[aria-invalid=true]")) if (!e.getAttribute("aria-describedby")) say("a wrong field does not say what is wrong", e);

  // Keyboard.
  for (const e of document.querySelectorAll("[tabindex]")) if (e.tabIndex > 0) say("the order of focus is forced", e);
  for (const e of document.querySelectorAll("[aria-hidden=true] a[href], [aria-hidden=true] button, [aria-hidden=true] input")) if (shown(e)) say("what is hidden can be focused", e);
  for (const e of document.querySelectorAll("[onclick], [onchange], [onkeydown], [onload], [onerror]")) say("a handler is in the page", e);

  // Tables.
  for (const t of document.querySelectorAll("table")) {
    if (!shown(t)) continue;
    if (!t.querySelector("th")) say("a table has no headers", t);
    for (const th of t.querySelectorAll("th")) if (!th.textContent.trim() && !name(th)) say("a header of a table is empty", th);
    for (const th of t.querySelectorAll("th")) if (!th.scope && t.querySelector("tbody th")) say("a header does not say of what it is one", th);
  }
  for (const e of document.querySelectorAll("ul > :not(li, template), ol > :not(li, template), dl > :not(dt, dd, div)")) say("a list has what is no item", e);

  // Contrast: the text against the colours under it.
  const rgba = text => {
    const canvas = rgba.canvas ||= Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, under) => [0, 1, 2].map(i => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
  const light = c => {
    const [r, g, b] = c.slice(0, 3).map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const background = e => {
    const layers = [];
    for (; e; e = e.parentElement) {
      const style = getComputedStyle(e);
      if (style.backgroundImage !== "none") return null; // not decided here
      layers.push(rgba(style.backgroundColor));
    }
    const dark = getComputedStyle(document.documentElement).colorScheme.includes("dark") && matchMedia("(prefers-color-scheme: dark)").matches;
    return layers.reduceRight((under, top) => over(top, under), dark ? [18, 18, 18, 1] : [255, 255, 255, 1]);
  };
  const done = new Set();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement;
    if (!texts.currentNode.textContent.trim() || done.has(e) || !shown(e) || e.closest("script, style, template, [aria-hidden=true], option") || e.matches(":disabled")) continue;
    done.add(e);
    const box = e.getBoundingClientRect();
    if (box.width <= 1 || box.height <= 1) continue; // for screen readers only
    const style = getComputedStyle(e);
    const under = background(e);
    if (!under) continue;
    const ink = e.closest("svg") ? style.fill : style.color;
    if (ink === "none") continue;
    let opacity = 1;
    for (let x = e; x; x = x.parentElement) opacity *= Number(getComputedStyle(x).opacity);
    const colour = rgba(ink);
    colour[3] *= opacity;
    const [a, b] = [light(over(colour, under)), light(under)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700;
    if (ratio < (large ? 3 : 4.5)) say(`a contrast of ${ratio.toFixed(2)}`, e);
  }

  // Targets of 24 px, unless in a line of text.
  for (const e of document.querySelectorAll("button, input[type=checkbox], input[type=radio], select, summary")) {
    const box = e.getBoundingClientRect();
    if (shown(e) && box.width > 1 && (box.width < 24 || box.height < 24) && !(e.labels && e.labels.length)) say(`a target of ${Math.round(box.width)} × ${Math.round(box.height)} px`, e);
  }
  return problems;
})()
