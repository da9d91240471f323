// What pages do in the browser: one stream of events, parts that renew themselves, charts, keys.
import htmx from "htmx.org/dist/htmx.esm.js";
import { drawAll, renewCharts } from "./charts.js";

const QUIET_MS = 1500; // least time between two renewals of the page's live parts
const TICKS_RENEW = 5; // without news the live parts are renewed every so many ticks

let renewedAt = 0;
let waiting = null;
let ticks = 0;

function busy(part) {
  const at = document.activeElement;
  const writing = at && part.contains(at) && at.matches("input, select, textarea");
  return writing || part.querySelector("details[open]") !== null;
}

function renew() {
  waiting = null;
  if (document.hidden) return;
  for (const part of document.querySelectorAll("[data-refresh]")) {
    if (busy(part)) continue;
    renewedAt = Date.now();
    const address = part.dataset.refresh;
    htmx.ajax("GET", address, { source: part, target: part, select: `#${part.id}`, swap: "outerHTML" });
  }
}

function renewSoon() {
  if (waiting === null) waiting = setTimeout(renew, Math.max(150, renewedAt + QUIET_MS - Date.now()));
}

function say(words) {
  const at = document.getElementById("link-state");
  if (at) at.textContent = words;
}

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const two = (n) => String(n).padStart(2, "0");

function showClock(tick) {
  const clock = document.getElementById("clock");
  const at = new Date(tick.now);
  if (clock) {
    const chinese = document.documentElement.lang === "zh"; // as api/language.py writes it
    const day = chinese
      ? `${at.getUTCMonth() + 1}月${at.getUTCDate()}日 周${"日一二三四五六"[at.getUTCDay()]} `
      : `${DAYS[at.getUTCDay()]} ${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]}, `;
    clock.textContent = `${day}${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
  }
  const factor = document.getElementById("factor");
  if (factor) factor.textContent = tick.factor === 0 ? "paused" : `x${tick.factor}`;
}

function listen(address) {
  const stream = new EventSource(address);
  stream.addEventListener("audit", renewSoon);
  stream.addEventListener("tick", (event) => {
    say("");
    showClock(JSON.parse(event.data));
    ticks += 1;
    if (ticks % TICKS_RENEW === 0) renewSoon();
    if (ticks % 2 === 0 && !document.hidden) renewCharts();
    poll();
  });
  stream.addEventListener("error", () => say("Not connected; trying again. "));
  addEventListener("pagehide", () => stream.close());
}

function poll() {
  const part = document.querySelector("[data-poll]");
  if (part && !busy(part)) htmx.ajax("GET", part.dataset.poll, { source: part, target: part, swap: "outerHTML" });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target.matches("input, select, textarea")) return;
  for (const at of document.querySelectorAll("[data-key]")) {
    if (at.dataset.key !== event.key) continue;
    if (at.matches("form")) at.requestSubmit();
    else at.click();
    return;
  }
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy], [data-print]");
  if (!button) return;
  if ("print" in button.dataset) print();
  else {
    const text = document.getElementById(button.dataset.copy).textContent;
    navigator.clipboard?.writeText(text).then(() => (button.textContent = "Copied"));
  }
});
document.addEventListener("toggle", (event) => event.target.open && drawAll(event.target), true);
document.addEventListener("htmx:afterSwap", () => drawAll(document));

function begin() {
  drawAll(document);
  const address = document.body.dataset.events;
  if (address) listen(address);
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
else begin();
