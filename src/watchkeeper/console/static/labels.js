// Labelling by keyboard: each button has a key. `g` belongs to the places of the console, and to the letter after it.
"use strict";

const AFTER_G_MS = 1500;
let placesUntil = 0;
let isSent = false;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const comment = document.querySelector("[data-comment]");
  if (event.key === "Escape" && event.target === comment) comment.blur();
  if (event.target.closest("input, textarea, select, dialog")) return;
  if (event.key === "g") {
    placesUntil = Date.now() + AFTER_G_MS;
    return;
  }
  if (Date.now() < placesUntil) {
    placesUntil = 0;
    return;
  }
  if (event.key === "c" && comment) {
    event.preventDefault();
    comment.focus();
    return;
  }
  const button = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (!button || isSent) return;
  isSent = true; // a second key before the next item is there would label an item that nobody has seen
  button.click();
});

addEventListener("pageshow", () => { isSent = false; });
