// What every page shares: local times, keys, copying. Pages work without it.
"use strict";

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

function localise(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.valueOf())) continue;
    const pad = (number) => String(number).padStart(2, "0");
    const day = `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
    time.title = time.dateTime;
    time.textContent = `${day} ${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
  }
}

function rows() {
  return [...document.querySelectorAll("tr[data-href]")];
}

function move(step) {
  const all = rows();
  if (!all.length) return;
  const now = all.findIndex((row) => row.classList.contains("here"));
  const next = all[Math.min(Math.max(now + step, 0), all.length - 1)];
  all[now]?.classList.remove("here");
  next.classList.add("here");
  next.querySelector("a")?.focus();
  next.scrollIntoView({ block: "nearest" });
}

let leader = false;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
  if (leader) {
    leader = false;
    const place = document.querySelector(`nav a[data-go="${CSS.escape(event.key)}"]`);
    if (place) place.click();
    return;
  }
  if (event.key === "/") {
    const search = document.querySelector("input[type=search]");
    if (search) { event.preventDefault(); search.focus(); }
  } else if (event.key === "j") move(1);
  else if (event.key === "k") move(-1);
  else if (event.key === "g") leader = true;
  else if (event.key === "?") document.getElementById("keys-help").showModal();
});

document.addEventListener("click", async (event) => {
  const copied = event.target.closest("[data-copy]");
  if (!copied || String(getSelection())) return;
  await navigator.clipboard?.writeText(copied.textContent.trim());
  copied.classList.add("copied");
  setTimeout(() => copied.classList.remove("copied"), 1200);
});

localise(document);
document.querySelector("[data-zone]").textContent = zone;
globalThis.watchkeeper = { localise };
