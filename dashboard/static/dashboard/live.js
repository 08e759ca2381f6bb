// While the page is visible, fetches it every 10 seconds and replaces its figures.
"use strict";

const EVERY_MS = 10_000;

async function refresh() {
  const shown = document.getElementById("live");
  if (document.hidden || shown.contains(document.activeElement) || !getSelection().isCollapsed) {
    return;
  }
  const state = document.getElementById("live-state");
  try {
    const answer = await fetch(location.href, { credentials: "same-origin", cache: "no-store" });
    if (answer.redirected) {
      location.reload(); // signed out in another tab
      return;
    }
    if (!answer.ok) {
      throw new Error(`the server answered ${answer.status}`);
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    shown.replaceChildren(...page.getElementById("live").childNodes);
    document.title = page.title;
    state.textContent = page.getElementById("live-state").textContent;
    state.classList.remove("stale");
  } catch (error) {
    state.textContent = `Not updated: ${error.message}. Trying again.`;
    state.classList.add("stale");
  }
}

setInterval(refresh, EVERY_MS);
document.addEventListener("visibilitychange", refresh);
