// The large chart under uPlot: drag over a stretch to look closer; the stretch becomes the page's address.
"use strict";

const place = document.getElementById("zoom");
const drawn = place.querySelector("svg.chart[data-values]");

// Colours come from the style sheet: by tone, or by the name of a token.
function colour(name, property) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const probe = svg.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "rect"));
  if (property) probe.style.fill = `var(${property})`;
  else probe.setAttribute("class", `tone-${name}`);
  document.body.append(svg);
  const found = getComputedStyle(probe).fill;
  svg.remove();
  return found;
}

function open(from, until) {
  const address = new URL(place.dataset.href, location.href);
  const written = (seconds) => new Date(1000 * seconds).toISOString().replace(/\.\d+Z/, "Z");
  address.searchParams.set("since", written(from));
  address.searchParams.set("until", written(until));
  location.assign(address);
}

// Layers of bars lie on each other: each is drawn from the ground to its own top, the highest first.
function stacked(layers) {
  const ground = layers[0].map(() => 0);
  return layers.map((layer) => layer.map((value, step) => (ground[step] += value ?? 0)));
}

// A line through one value alone is nothing: such values are drawn as points.
function lone(plot, index) {
  const values = plot.data[index];
  const isThere = (step) => values[step] !== null && values[step] !== undefined;
  return values.flatMap((_, step) => (isThere(step) && !isThere(step - 1) && !isThere(step + 1) ? [step] : []));
}

function options(series) {
  const line = colour("", "--line");
  const pad = (number) => String(number).padStart(2, "0");
  const moment = (at) => (at.getSeconds() ? `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}` : at.getHours() || at.getMinutes() ? `${pad(at.getHours())}:${pad(at.getMinutes())}` : at.toLocaleDateString("en-US", { month: "short", day: "numeric" }));
  const moments = (_, seconds) => seconds.map((at) => moment(new Date(1000 * at)));
  const axis = { stroke: colour("", "--soft"), grid: { stroke: line, width: 1 }, ticks: { show: false }, font: "11px sans-serif" };
  const written = {
    ms: (value) => (value < 1000 ? `${value} ms` : `${value / 1000} s`),
    usd: (value) => `$${value.toLocaleString("en-US", { maximumFractionDigits: 9 })}`,
    count: (value) => value.toLocaleString("en-US"),
  }[drawn.dataset.unit];
  const marks = (_, values) => values.map(written);
  return {
    width: place.clientWidth,
    height: Number(drawn.getAttribute("height")),
    padding: [12, 8, 0, 0],
    scales: { y: { range: (_, low, high) => [0, high > 0 ? high * 1.05 : 1] } },
    legend: { show: false },
    axes: [{ ...axis, size: 28, values: moments }, { ...axis, size: 74, values: marks }],
    cursor: { drag: { x: true, y: false, setScale: false } },
    series: [{}, ...series],
    hooks: {
      setSelect: [(plot) => {
        const { left, width } = plot.select;
        if (width > 3) open(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
      }],
    },
  };
}

function start() {
  const { since, step, names, tones, values } = drawn.dataset;
  const layers = JSON.parse(values);
  const isBars = drawn.classList.contains("chart-bars");
  const times = layers[0].map((_, index) => Date.parse(since) / 1000 + Number(step) * index);
  const paths = uPlot.paths.bars({ size: [0.8, 100], align: 1 });
  const series = JSON.parse(names).map((label, index) => {
    const stroke = colour(JSON.parse(tones)[index]);
    return isBars
      ? { label, stroke, fill: stroke, width: 0, paths, points: { show: false } }
      : { label, stroke, width: 1.5, points: { show: true, size: 4, fill: stroke, filter: lone } };
  });
  const tops = isBars ? stacked(layers) : layers;
  const settings = options(series.reverse());
  drawn.remove();
  const plot = new uPlot(settings, [times, ...tops.reverse()], place);
  plot.root.setAttribute("role", "img");
  plot.root.setAttribute("aria-label", drawn.getAttribute("aria-label"));
  addEventListener("resize", () => plot.setSize({ width: place.clientWidth, height: settings.height }));
}

if (drawn) start();
