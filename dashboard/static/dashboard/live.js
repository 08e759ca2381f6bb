// Shows whether the page is live, and opens its stream: as long as the page is looked at, and again
// whenever it was lost. What comes is put into the page by htmx.
"use strict";

const STALE_MS = 30_000; // after that, figures are greyed
const SILENT_MS = 40_000; // after that, a stream that looks open is given up
const RETRY_MS = 10_000; // between attempts to open the first stream
const WORDS = {
  opening: "As of",
  live: "Live",
  reconnecting: "Reconnecting since",
  stale: "Not live. As of",
  paused: "Paused at",
};

const source = document.getElementById("live-source");
const state = document.getElementById("live-state");
const changed = document.getElementById("live-changed");
const rows = document.getElementById("live-rows");
const [words, time] = state.children;
const zone = { timeZone: state.dataset.zone };
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium", ...zone });
const minutes = new Intl.DateTimeFormat("en-GB", { timeStyle: "short", ...zone });

let heardAt = Date.now(); // by the clock of this machine, for how long ago it was
let openedAt = 0;
let triedAt = 0;
let connection = null;
let isTrying = false;
let isOpen = false;
let wasOpen = false;

function show() {
  const silent = Date.now() - heardAt;
  const name = document.hidden
    ? "paused"
    : silent > STALE_MS
      ? "stale"
      : isOpen
        ? "live"
        : wasOpen
          ? "reconnecting"
          : "opening";
  if (document.documentElement.dataset.live !== name) {
    document.documentElement.dataset.live = name;
    words.textContent = WORDS[name];
  }
}

function connect() {
  if (document.hidden || connection || isTrying || Date.now() - triedAt < RETRY_MS) return;
  triedAt = Date.now();
  htmx.trigger(source, "connect");
}

function look() {
  connect();
  if (Date.now() - Math.max(heardAt, openedAt) > SILENT_MS) connection?.reader?.cancel();
  show();
}

function tell(news, moment) {
  if (!changed.hidden) return;
  changed.querySelector("span").textContent = news;
  changed.querySelector("time").textContent = minutes.format(new Date(moment));
  changed.hidden = false;
}

// Rows stay where they are. That the page would have others now is told; they come when it is loaded again.
function haveRowsChanged() {
  const now = new Set(rows?.textContent.match(/\S+/g));
  const shown = [...document.querySelectorAll(".live-row")];
  return rows && (shown.length !== now.size || shown.some((row) => !now.has(row.id)));
}

function refused(status) {
  if (status === 401) location.reload(); // leads to the page to sign in
  isOpen = false;
  show();
}

source.addEventListener("htmx:sse:before:connection", (event) => {
  connection = event.detail.connection;
  isOpen = false;
  show();
});
source.addEventListener("htmx:sse:after:connection", () => {
  openedAt = Date.now();
});
source.addEventListener("htmx:sse:after:message", (event) => {
  heardAt = Date.now();
  isOpen = wasOpen = true;
  time.dateTime = event.detail.message.id;
  time.textContent = clock.format(new Date(event.detail.message.id));
  if (haveRowsChanged()) tell(rows.dataset.news, event.detail.message.id);
  show();
});
source.addEventListener("htmx:sse:error", (event) => refused(event.detail.status));
source.addEventListener("htmx:response:error", (event) => refused(event.detail.ctx.response.status));
source.addEventListener("htmx:before:request", () => {
  isTrying = true;
});
source.addEventListener("htmx:finally:request", () => {
  isTrying = false;
});
source.addEventListener("htmx:sse:close", () => {
  connection = null;
});
source.addEventListener("changed", (event) => tell("New charges", event.detail.id));
source.addEventListener("bye", () => location.reload());
document.addEventListener("visibilitychange", look);
document.addEventListener("DOMContentLoaded", look); // after htmx, which waits for the same, has read the page
setInterval(look, 1_000);
