// What every page shares: local times, keys, copying, and htmx's manners. Pages work without it.
"use strict";

document.documentElement.classList.add("js");

const locale = "en-GB";
const zoneName = new Intl.DateTimeFormat(locale, { timeZoneName: "short" })
  .formatToParts(new Date()).find((part) => part.type === "timeZoneName").value;
const pad = (number) => String(number).padStart(2, "0");

const forms = {
  clock: (at) => `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`,
  axis: (at) => (at.getSeconds() ? forms.clock(at) : `${pad(at.getHours())}:${pad(at.getMinutes())}`),
  row: (at) => `${at.toLocaleDateString("en-US", { month: "short" })} ${pad(at.getDate())} ${forms.clock(at)}`,
  full: (at) => `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())} ${forms.clock(at)} ${zoneName}`,
};

// The only place where times leave UTC.
function localise(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.valueOf())) continue;
    time.title = time.dateTime;
    time.textContent = (forms[time.dataset.form] ?? forms.full)(at);
  }
  for (const label of root.querySelectorAll("text[data-at]")) label.textContent = forms.axis(new Date(label.dataset.at));
  for (const zone of root.querySelectorAll("[data-zone]")) zone.textContent = zoneName;
}

function move(step) {
  const links = [...document.querySelectorAll("tr[data-row] .open")];
  if (!links.length) return;
  const now = links.findIndex((link) => link === document.activeElement);
  const next = links[Math.min(Math.max(now + step, 0), links.length - 1)];
  next.focus();
  next.closest("tr").scrollIntoView({ block: "nearest" });
}

let isAfterG = false;

const keys = {
  "/": (event) => {
    const search = document.querySelector("input[type=search]");
    if (!search) return;
    event.preventDefault();
    search.select();
  },
  j: () => move(1),
  k: () => move(-1),
  g: () => { isAfterG = true; setTimeout(() => { isAfterG = false; }, 1500); },
  "[": () => document.getElementById("previous")?.click(),
  "]": () => document.getElementById("next")?.click(),
  "?": () => document.getElementById("keyboard").showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, dialog")) {
    if (event.key === "Escape" && event.target.matches("input[type=search]")) event.target.blur();
    return;
  }
  if (isAfterG) {
    isAfterG = false;
    document.querySelector(`[data-go="${CSS.escape(event.key)}"]`)?.click();
    return;
  }
  keys[event.key]?.(event);
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.classList.add("copied");
    setTimeout(() => button.classList.remove("copied"), 1200);
  }
  const opener = event.target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens).showModal();
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

// A page that nobody looks at asks for nothing.
document.addEventListener("htmx:config:request", (event) => {
  if (document.hidden && event.detail.ctx.sourceEvent?.type === "every") event.preventDefault();
});
document.addEventListener("htmx:after:swap", () => localise(document));

if (matchMedia("(max-width: 760px)").matches) document.querySelector(".narrowing")?.removeAttribute("open");
localise(document);
