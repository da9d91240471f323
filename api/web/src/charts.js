// Charts with uPlot: lines with bands, shaded spans of alarms, hatched readings that came late, limits across. Data
// comes from /charts/...
import uPlot from "uplot";

const drawn = new WeakMap();
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const INKS = ["--line-1", "--line-2", "--line-3"];

function shades(chart) {
  return (u) => {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.fillStyle = colour("--span");
    for (const [from, to] of chart.spans) {
      const left = u.valToPos(from, "x", true);
      ctx.fillRect(left, bbox.top, Math.max(2, u.valToPos(to, "x", true) - left), bbox.height);
    }
    for (const [from, to] of chart.late) hatch(u, from, to);
    ctx.restore();
  };
}

function hatch({ ctx, bbox, valToPos }, from, to) {
  const left = valToPos(from, "x", true);
  const width = Math.max(4 * devicePixelRatio, valToPos(to, "x", true) - left);
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, bbox.top, width, bbox.height);
  ctx.clip();
  ctx.globalAlpha = 0.45;
  ctx.strokeStyle = colour("--soft");
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  for (let x = left - bbox.height; x < left + width; x += 8 * devicePixelRatio) {
    ctx.moveTo(x, bbox.top + bbox.height);
    ctx.lineTo(x + bbox.height, bbox.top);
  }
  ctx.stroke();
  ctx.restore();
}

// What is hatched, in words below the chart.
function tellLate(figure, chart) {
  figure.querySelector(".came-late")?.remove();
  if (!chart.late.length) return;
  const p = document.createElement("p");
  p.className = "came-late muted small";
  const shown = chart.late.slice(0, 3).map(([from, , words]) => `${new Date(from * 1000).toISOString().slice(0, 16).replace("T", " ")}: ${words}`);
  const more = chart.late.length > 3 ? ` and ${chart.late.length - 3} more` : "";
  p.textContent = `Hatched: came late, stored and scored afterwards (${shown.join("; ")}${more})`;
  figure.append(p);
}

function limits(chart) {
  return (u) => {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = colour("--bad");
    ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.font = `${11 * devicePixelRatio}px system-ui`;
    for (const [value, words] of chart.limits) {
      const y = u.valToPos(value, "y", true);
      if (y < bbox.top || y > bbox.top + bbox.height) continue;
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      ctx.textAlign = "left";
      ctx.textBaseline = "bottom";
      ctx.fillText(words, bbox.left + 6 * devicePixelRatio, y - 4 * devicePixelRatio);
    }
    ctx.restore();
  };
}

// All lines on one time axis; a line's band is two more lines with the room between them filled.
function table(chart) {
  const parts = [];
  const lines = [];
  const bands = [];
  chart.series.forEach((s, n) => {
    const ink = INKS[n % INKS.length];
    const columns = [s.t, s.y];
    lines.push({ label: s.unit ? `${s.name} [${s.unit}]` : s.name, ink, width: 1.8 });
    if (s.low.length) {
      columns.push(s.high, s.low);
      bands.push([lines.length + 1, lines.length + 2, ink]);
      lines.push({ label: "to", ink, width: 0, edge: true }, { label: "from", ink, width: 0, edge: true });
    }
    parts.push(columns);
  });
  const data = parts.length === 1 ? parts[0] : uPlot.join(parts);
  return { data, lines, bands };
}

const short = (u, v) => (v == null ? "–" : Math.abs(v) >= 100 ? v.toFixed(0) : v.toFixed(2));

function options(chart, box, { lines, bands }) {
  const axis = { stroke: colour("--soft"), grid: { stroke: colour("--grid"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
  return {
    width: box.clientWidth,
    height: box.clientHeight - 26,
    tzDate: (ts) => uPlot.tzDate(new Date(ts * 1000), "Etc/UTC"),
    padding: [8, 8, 0, 0],
    cursor: { y: false },
    legend: { markers: { width: 2 } },
    scales: { y: { range: (u, low, high) => range(chart, low, high) } },
    series: [
      { label: CHINESE ? "时间" : "Time", value: "{YYYY}-{MM}-{DD} {HH}:{mm}" },
      ...lines.map((l) => ({
        label: l.label, class: l.edge ? "band-edge" : undefined, stroke: l.width ? colour(l.ink) : undefined, width: l.width, points: { show: false }, spanGaps: false, value: short,
      })),
    ],
    bands: bands.map(([high, low, ink]) => ({ series: [high, low], fill: `${colour(ink)}33` })),
    axes: [{ ...axis, space: 80, values: TIMES }, { ...axis, size: 46 }],
    hooks: { drawClear: [shades(chart)], draw: [limits(chart)] },
  };
}

const CHINESE = document.documentElement.lang === "zh"; // the page is in the customer's language
const [MONTH, DAY] = CHINESE ? ["{M}月", "{M}月{D}日"] : ["{MMM}", "{D} {MMM}"];
// [least step, usual label, at a new year, month, day, hour, minute, second, mode]
const TIMES = [
  [31536000, "{YYYY}", null, null, null, null, null, null, 1],
  [2419200, MONTH, "\n{YYYY}", null, null, null, null, null, 1],
  [86400, DAY, "\n{YYYY}", null, null, null, null, null, 1],
  [60, "{HH}:{mm}", `\n${DAY} {YYYY}`, null, `\n${DAY}`, null, null, null, 1],
  [1, "{HH}:{mm}:{ss}", `\n${DAY} {YYYY}`, null, `\n${DAY}`, null, null, null, 1],
];

function range(chart, low, high) {
  if (low == null || high == null) return [0, 1];
  let [from, to] = [low, high];
  const room = to - from || Math.abs(to) || 1;
  for (const [value] of chart.limits) if (value > to && value < to + 1.5 * room) to = value;
  const pad = (to - from || 1) * 0.08;
  return [from - pad, to + pad];
}

function empty(box, words) {
  const p = document.createElement("p");
  p.className = "empty";
  p.textContent = words;
  box.replaceChildren(p);
}

function draw(figure, chart) {
  const box = figure.querySelector(".plot");
  const before = drawn.get(figure);
  const many = chart.series.some((s) => s.t.length > 0);
  if (!many) {
    if (before) before.plot.destroy();
    drawn.delete(figure);
    return empty(box, chart.note || "No readings in this time yet.");
  }
  chart.late ??= [];
  tellLate(figure, chart);
  const made = table(chart);
  if (before && before.lines === made.lines.length) {
    Object.assign(before.chart, chart);
    before.plot.setData(made.data);
    return undefined;
  }
  if (before) before.plot.destroy();
  box.replaceChildren();
  const plot = new uPlot(options(chart, box, made), made.data, box);
  drawn.set(figure, { plot, chart, lines: made.lines.length });
  sizes.observe(box);
  if (chart.note) figure.querySelector("figcaption")?.replaceChildren(chart.note);
  return undefined;
}

const sizes = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const of = drawn.get(target.parentElement);
    if (of && target.clientWidth > 0) of.plot.setSize({ width: target.clientWidth, height: target.clientHeight - 26 });
  }
});

async function load(figure) {
  if (figure.dataset.busy) return;
  figure.dataset.busy = "1";
  try {
    const answer = await fetch(figure.dataset.chart, { headers: { Accept: "application/json" } });
    if (answer.ok) draw(figure, await answer.json());
    else empty(figure.querySelector(".plot"), "There is no chart for this.");
  } catch {
    // the next tick tries again
  } finally {
    delete figure.dataset.busy;
  }
}

const seen = (figure) => figure.offsetParent !== null;

export function drawAll(root) {
  for (const figure of root.querySelectorAll("[data-chart]")) if (!drawn.has(figure) && seen(figure)) load(figure);
  for (const figure of root.querySelectorAll("[data-chart-json]")) {
    const text = document.getElementById(`chart-${figure.dataset.chartJson}`);
    if (text && !drawn.has(figure)) draw(figure, JSON.parse(text.textContent));
  }
}

export function renewCharts() {
  for (const figure of document.querySelectorAll("[data-chart][data-live]")) {
    const box = figure.getBoundingClientRect();
    if (seen(figure) && box.bottom > 0 && box.top < innerHeight) load(figure);
  }
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const figure of document.querySelectorAll("[data-chart], [data-chart-json]")) {
    const of = drawn.get(figure);
    if (of) of.plot.destroy();
    drawn.delete(figure);
  }
  drawAll(document);
});
