"use strict";
const rows = [...document.querySelectorAll("tbody tr")];
const roles = [...document.querySelectorAll("input[name=role]")];
const section = document.getElementById("section");
const status = document.getElementById("status");

function filter() {
  const shown = new Set(roles.filter((box) => box.checked).map((box) => box.value));
  for (const part of document.querySelectorAll("[data-role]")) part.hidden = !shown.has(part.dataset.role);
  for (const row of rows) row.hidden = section.value !== "" && row.dataset.section !== section.value;
  for (const head of document.querySelectorAll(".section th")) head.colSpan = shown.size + 1;
  document.querySelector("table").style.setProperty("--roles", Math.max(shown.size, 1));
  const count = rows.filter((row) => !row.hidden && !row.classList.contains("section")).length;
  status.textContent = `${count} rows, ${shown.size} roles shown`;
}

document.querySelector("form").addEventListener("input", filter);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") document.body.classList.add("quiet");
});
for (const event of ["focusin", "mouseover"]) {
  document.querySelector("table").addEventListener(event, () => document.body.classList.remove("quiet"));
}
document.querySelector("tbody").addEventListener("keydown", (event) => {
  const cell = event.target.closest("td");
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  if (!cell || !(event.key in steps)) return;
  const [down, right] = steps[event.key];
  const grid = rows.filter((row) => !row.hidden && !row.classList.contains("section"))
    .map((row) => [...row.querySelectorAll("td:not([hidden]) .cell")]);
  const at = grid.findIndex((cells) => cells.includes(event.target));
  const next = grid[at + down]?.[grid[at].indexOf(event.target) + right];
  if (next) { event.preventDefault(); next.focus(); }
});
filter();
