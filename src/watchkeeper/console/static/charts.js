// The pointer over one chart reads all charts of the page: a line at the step, its figures in the legends.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const number = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 4 });
let under = null;

function written(value, unit) {
  if (value === null || value === undefined) return "–";
  if (unit === "usd") return `$${value >= 1 ? value.toFixed(2) : number.format(value)}`;
  if (unit === "ms") return value < 1000 ? `${number.format(Math.round(value))} ms` : `${(value / 1000).toPrecision(3)} s`;
  return number.format(value);
}

function charts() {
  return [...document.querySelectorAll("svg.chart[data-values]")].filter((chart) => chart.closest(".panel"));
}

// The chart's element of a class, made when it is not there.
function put(chart, tag, names, attributes) {
  const found = chart.getElementsByClassName(names)[0] ?? chart.appendChild(document.createElementNS(SVG, tag));
  found.setAttribute("class", names);
  for (const [name, value] of Object.entries(attributes)) found.setAttribute(name, value);
  return found;
}

function show(chart, place) {
  const values = JSON.parse(chart.dataset.values);
  const steps = values[0].length;
  const step = Math.min(Math.floor(place * steps), steps - 1);
  const x = `${(100 * (step + 0.5)) / steps}%`;
  const { top, bottom } = chart.dataset;
  put(chart, "line", "cross", { x1: x, x2: x, y1: top, y2: bottom });
  const at = new Date(Date.parse(chart.dataset.since) + 1000 * chart.dataset.step * step);
  const anchor = place < 0.15 ? "start" : place > 0.85 ? "end" : "middle";
  put(chart, "text", "label moment", { x, y: Number(top) - 3, "text-anchor": anchor }).textContent =
    at.toLocaleString("en-GB", { weekday: "short", hour: "2-digit", minute: "2-digit" });
  const panel = chart.closest(".panel");
  const names = JSON.parse(chart.dataset.names);
  for (const value of panel.querySelectorAll("[data-series]")) {
    value.dataset.whole ??= value.textContent;
    const series = names.indexOf(value.dataset.series);
    if (series >= 0) value.textContent = written(values[series][step], chart.dataset.unit);
  }
}

function clear() {
  for (const drawn of document.querySelectorAll(".cross, .moment")) drawn.remove();
  for (const value of document.querySelectorAll("[data-whole]")) {
    value.textContent = value.dataset.whole;
    delete value.dataset.whole;
  }
}

document.addEventListener("pointermove", (event) => {
  const chart = event.target.closest?.("svg.chart[data-values]");
  if (!chart) {
    if (under) clear();
    under = null;
    return;
  }
  under = chart;
  const box = chart.getBoundingClientRect();
  const place = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 0.9999);
  for (const one of charts()) show(one, place);
});
document.addEventListener("pointerleave", clear);
