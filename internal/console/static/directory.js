// Forms of the pages on tokens, people, control planes, portals and activity:
// the first field that is wrong has the focus, and a filter that is chosen from a
// list counts at once.

const wrong = document.querySelector("main [aria-invalid=true]") ?? document.querySelector("main [role=alert]");
if (wrong) {
  if (wrong.matches("[role=alert]")) wrong.tabIndex = -1;
  wrong.focus();
}

for (const form of document.querySelectorAll("form[data-sends]")) {
  for (const select of form.querySelectorAll("select")) {
    select.addEventListener("change", () => form.requestSubmit());
  }
  // Fields that are empty need not stand in the address.
  form.addEventListener("formdata", (event) => {
    for (const [name, value] of [...event.formData]) if (!value) event.formData.delete(name);
  });
}
