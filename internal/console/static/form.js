// Forms: the focus goes to the first field that is wrong, and fields that count
// only with some choice of a list are hidden until it is made.

document.querySelector("[aria-invalid=true]")?.focus();

for (const part of document.querySelectorAll("[data-when]")) {
  const [name, value] = part.dataset.when.split("=");
  const list = part.closest("form").elements[name];
  const show = () => { part.hidden = list.value !== value; };
  list.addEventListener("change", show);
  show();
}
