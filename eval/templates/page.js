"use strict";
const record = JSON.parse(document.getElementById("record").textContent);
const charts = JSON.parse(document.getElementById("charts").textContent);
const formats = {
  percent: (v) => (100 * v).toFixed(1) + "%",
  points: (v) => (v >= 0 ? "+" : "") + (100 * v).toFixed(1),
  integer: (v) => Math.round(v).toLocaleString("en-US"),
  one: (v) => v.toLocaleString("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 }),
  three: (v) => v.toFixed(3),
};

/** The half of every ⟦zh¦en⟧ in a figure that belongs to the language. */
function inLanguage(value, english) {
  if (typeof value === "string") return value.replace(/⟦(.*?)¦(.*?)⟧/g, english ? "$2" : "$1");
  if (Array.isArray(value)) return value.map((item) => inLanguage(item, english));
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, inLanguage(item, english)]));
  }
  return value;
}

function draw() {
  if (!window.Plotly) return;
  const english = document.documentElement.lang === "en";
  for (const place of document.querySelectorAll("[data-chart]")) {
    const figure = inLanguage(charts[place.dataset.chart], english);
    Plotly.react(place, figure.data, figure.layout, { displaylogo: false, responsive: true, displayModeBar: false });
  }
}

document.getElementById("switch").addEventListener("click", () => {
  document.documentElement.lang = document.documentElement.lang === "en" ? "zh-CN" : "en";
  draw();
});

function show(place, path, row, key) {
  const figure = place.querySelector(".f");
  figure.dataset.m = path;
  figure.textContent = row[key] === null ? "—" : formats[figure.dataset.f](row[key]);
}

function setUpSliders() {
  const grid = record.what_if && record.what_if.grid;
  if (!grid) return;
  const steps = {}, inputs = {};
  for (const [id, key] of [["price-wrong", "wrong_dispatch"], ["price-missed", "missed_critical"]]) {
    steps[key] = [...new Set(grid.map((row) => row[key]))].sort((a, b) => a - b);
    inputs[key] = document.getElementById(id);
    inputs[key].max = steps[key].length - 1;
    inputs[key].value = steps[key].indexOf(record.what_if.now[key]);
    inputs[key].addEventListener("input", choose);
  }
  function choose() {
    const chosen = {};
    for (const key of Object.keys(steps)) {
      chosen[key] = steps[key][Number(inputs[key].value)];
      document.getElementById(inputs[key].id + "-out").textContent = chosen[key].toLocaleString("en-US");
    }
    const index = grid.findIndex((row) => Object.keys(chosen).every((key) => row[key] === chosen[key]));
    for (const place of document.querySelectorAll("[data-choice]")) {
      show(place, `what_if.grid.${index}.${place.dataset.choice}`, grid[index], place.dataset.choice);
    }
  }
  choose();
}

/** On paper every table is open and every chart has the paper's width. */
let opened = [];
window.addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  opened.forEach((part) => { part.open = true; });
  document.querySelectorAll("[data-chart]").forEach((place) => Plotly.relayout(place, { width: place.classList.contains("half") ? 340 : 690 }));
});
window.addEventListener("afterprint", () => {
  opened.forEach((part) => { part.open = false; });
  document.querySelectorAll("[data-chart]").forEach((place) => Plotly.relayout(place, { width: null, autosize: true }));
});

setUpSliders();
draw();
