// A dialog that the server opened holds the focus, and leads back to its page when it is closed.
"use strict";

for (const dialog of document.querySelectorAll("dialog.act[open]")) {
  dialog.close();
  dialog.showModal();
  const first = dialog.querySelector("select, input:not([type=hidden]), button");
  (dialog.querySelector("[aria-invalid=true]") ?? first).focus();
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    location.assign(dialog.dataset.back);
  });
}
