// The live tail: htmx brings the rows, this keeps the list short and free of repetitions.
"use strict";

const ROWS_MAX = 300;

document.addEventListener("htmx:after:swap", () => {
  const seen = new Set();
  for (const row of document.querySelectorAll("#rows > tr")) {
    if (seen.has(row.dataset.row) || seen.size >= ROWS_MAX) row.remove();
    else seen.add(row.dataset.row);
  }
});
