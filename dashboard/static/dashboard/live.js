// While the page is visible, fetches it every 10 seconds and replaces its figures.
"use strict";

const EVERY_MS = 10_000;

async function refresh() {
  const live = document.getElementById("live");
  if (document.hidden || live.contains(document.activeElement) || !getSelection().isCollapsed) {
    return;
  }
  const state = document.getElementById("live-state");
  try {
    const response = await fetch(location.href, { credentials: "same-origin", cache: "no-store" });
    if (response.redirected) {
      location.reload(); // signed out in another tab
      return;
    }
    if (!response.ok) {
      throw new Error(`the server answered ${response.status}`);
    }
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    live.replaceChildren(...page.getElementById("live").childNodes);
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
