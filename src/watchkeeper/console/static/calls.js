// The live tail: asks for rows behind a cursor and puts them on top of the list.
"use strict";

const button = document.getElementById("tail");
const EVERY_MS = 1500;
const ROWS_MAX = 200;
let after = "";
let timer = 0;

async function look() {
  const separator = button.dataset.href.includes("?") ? "&" : "?";
  const answer = await fetch(`${button.dataset.href}${separator}after=${encodeURIComponent(after)}`);
  if (answer.ok) {
    after = answer.headers.get("x-wk-after");
    const holder = document.createElement("tbody");
    holder.innerHTML = await answer.text();
    watchkeeper.localise(holder);
    const list = document.getElementById("rows");
    list.prepend(...holder.children);
    while (list.children.length > ROWS_MAX) list.lastElementChild.remove();
    document.querySelector(".empty")?.toggleAttribute("hidden", list.children.length > 0);
  }
  timer = setTimeout(look, EVERY_MS);
}

if (button) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const isOn = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(isOn));
    if (isOn) look();
    else clearTimeout(timer);
  });
}
