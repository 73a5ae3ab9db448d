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

function show(chart, place) {
  const values = JSON.parse(chart.dataset.values);
  const steps = values[0].length;
  const step = Math.min(Math.floor(place * steps), steps - 1);
  const x = `${(100 * (step + 0.5)) / steps}%`;
  let cross = chart.querySelector(".cross");
  if (!cross) {
    cross = chart.appendChild(document.createElementNS(SVG, "line"));
    cross.setAttribute("class", "cross");
    cross.setAttribute("y1", chart.dataset.top);
    cross.setAttribute("y2", chart.dataset.bottom);
  }
  cross.setAttribute("x1", x);
  cross.setAttribute("x2", x);
  const panel = chart.closest(".panel");
  const names = JSON.parse(chart.dataset.names);
  for (const value of panel.querySelectorAll("[data-series]")) {
    value.dataset.whole ??= value.textContent;
    const series = names.indexOf(value.dataset.series);
    if (series >= 0) value.textContent = written(values[series][step], chart.dataset.unit);
  }
  const note = panel.querySelector(".figure .note") ?? panel.querySelector(".figure").appendChild(document.createElement("span"));
  note.classList.add("note");
  note.dataset.whole ??= note.textContent;
  const at = new Date(Date.parse(chart.dataset.since) + 1000 * chart.dataset.step * step);
  note.textContent = `at ${at.toLocaleString("en-GB", { weekday: "short", hour: "2-digit", minute: "2-digit" })}`;
}

function clear() {
  for (const cross of document.querySelectorAll(".cross")) cross.remove();
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
