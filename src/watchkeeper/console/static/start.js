// Ticks when the first call has arrived.
"use strict";

const place = document.getElementById("arrived");
const EVERY_MS = 1000;

async function look() {
  if (place.querySelector(".tick")) return;
  const answer = await fetch(place.dataset.href);
  if (answer.ok) place.innerHTML = await answer.text();
  setTimeout(look, EVERY_MS);
}

look();
