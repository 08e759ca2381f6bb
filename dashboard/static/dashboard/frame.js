// What every page does: the search that Ctrl+K or ⌘K opens, where arrows choose and Enter goes
// there; menus that close; a rail that shows where one is.
"use strict";

const palette = document.querySelector(".palette");
const input = palette.querySelector("input");
const options = () => [...palette.querySelectorAll("a[role=option]")];

function open() {
  palette.showModal();
  input.select();
}

function select(option) {
  for (const each of options()) {
    each.setAttribute("aria-selected", each === option);
  }
  input.setAttribute("aria-activedescendant", option.id);
  option.scrollIntoView({ block: "nearest" });
}

function move(step) {
  const all = options();
  const at = all.findIndex((each) => each.ariaSelected === "true");
  if (all.length) {
    select(all[at < 0 && step < 0 ? all.length - 1 : (at + step + all.length) % all.length]);
  }
}

document.querySelector(".palette-open").addEventListener("click", (event) => {
  if (!event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    open();
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    palette.open ? palette.close() : open();
  }
});

input.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    move(event.key === "ArrowDown" ? 1 : -1);
  } else if (event.key === "Enter") {
    const chosen = options().find((each) => each.ariaSelected === "true") ?? options()[0];
    if (chosen) {
      event.preventDefault();
      chosen.click();
    }
  }
});

// What was chosen among earlier results is gone.
input.addEventListener("input", () => input.removeAttribute("aria-activedescendant"));
palette.addEventListener("click", (event) => event.target === palette && palette.close());

function closeMenus(except) {
  for (const menu of document.querySelectorAll(".menu[open]")) {
    menu.open = menu === except;
  }
}

document.addEventListener("click", (event) => closeMenus(event.target.closest(".menu")));
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && document.activeElement.closest(".menu[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// Not scrollIntoView: the keyboard would start from there.
const rail = document.querySelector(".rail");
rail.scrollLeft = (rail.querySelector("[aria-current]")?.offsetLeft ?? 0) - rail.clientWidth / 2;
