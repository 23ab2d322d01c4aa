"use strict";
(() => {
  // Tables: a click on a heading sorts by it, a second one the other way; empty cells stay at the end.
  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0];
    const cells = [...table.tHead.rows[0].cells];
    cells.forEach((head, column) => {
      const button = head.querySelector("button");
      if (!button) return;
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        const text = head.dataset.kind === "text";
        const value = (row) => {
          const v = row.cells[column].dataset.v ?? "";
          if (text) return v;
          return v === "" || Number.isNaN(Number(v)) ? null : Number(v);
        };
        const order = (a, b) => (text ? a.localeCompare(b) : a - b);
        const empty = (v) => v === null || v === "";
        const rows = [...body.rows].map((row, i) => ({ row, i, v: value(row) }));
        rows.sort((a, b) => {
          if (empty(a.v) || empty(b.v)) return empty(a.v) - empty(b.v) || a.i - b.i;
          return (up ? order(a.v, b.v) : order(b.v, a.v)) || a.i - b.i;
        });
        body.append(...rows.map((entry) => entry.row));
        cells.forEach((cell) => cell.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
      });
    });
  }
  addEventListener("beforeprint", () => {
    for (const fold of document.querySelectorAll("details")) fold.open = true;
  });

  // Curves of every run.
  const source = document.getElementById("runs");
  if (!source) return;
  const data = JSON.parse(source.textContent);
  const chart = document.getElementById("chart");
  const readout = document.getElementById("readout");
  const pickFactor = document.getElementById("pick-factor");
  const pickMetric = document.getElementById("pick-metric");
  const pickLevels = document.getElementById("pick-levels");
  const SVG = "http://www.w3.org/2000/svg";
  const make = (name, attributes, parent, text) => {
    const node = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    parent.append(node);
    return node;
  };
  const option = (select, text, value) => {
    const node = document.createElement("option");
    node.textContent = text;
    node.value = value;
    select.append(node);
  };
  data.factors.forEach((factor, i) => option(pickFactor, factor.name, i));
  data.metrics.forEach((metric, i) => option(pickMetric, metric, i));
  pickMetric.value = data.primary;
  const factorIndex = () => Number(pickFactor.value);
  const metricIndex = () => Number(pickMetric.value);

  const fillLevels = () => {
    for (const label of pickLevels.querySelectorAll("label")) label.remove();
    data.factors[factorIndex()].levels.forEach((level, i) => {
      const label = document.createElement("label");
      const box = document.createElement("input");
      const swatch = document.createElement("span");
      box.type = "checkbox";
      box.checked = true;
      box.value = i;
      box.addEventListener("change", draw);
      swatch.className = "swatch";
      swatch.style.background = level.color;
      label.append(box, swatch, level.label);
      pickLevels.append(label);
    });
  };
  const checked = () => new Set([...pickLevels.querySelectorAll("input:checked")].map((box) => Number(box.value)));
  const every = (on) => {
    for (const box of pickLevels.querySelectorAll("input")) box.checked = on;
    draw();
  };

  const ticks = (low, high, count) => {
    const raw = (high - low) / count;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.999);
    const list = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k += 1) list.push(Number((k * step).toPrecision(10)));
    return list;
  };

  let shown = [];   // Visible runs with their points on the screen.
  let chosen = null; // { run, at } under the pointer or the keys.
  let layer = null;
  let svg = null;
  let tip = null;

  function draw() {
    const f = factorIndex(), m = metricIndex(), levels = checked();
    const width = Math.max(300, chart.clientWidth - 18), height = Math.min(440, Math.max(260, width * 0.5));
    const left = 52, right = width - 12, top = 12, bottom = height - 38;
    chart.replaceChildren();
    chosen = null;
    shown = [];
    readout.textContent = "";
    svg = make("svg", { viewBox: `0 0 ${width} ${height}`, tabindex: 0, role: "img" }, chart);
    svg.setAttribute("aria-label", `${data.metrics[m]} along every run, by ${data.factors[f].name}. Arrow keys move from point to point.`);
    for (const run of data.runs) {
      const place = run.p.find(([factor, level]) => factor === f && levels.has(level));
      if (place && run.v[m].some((v) => v !== null)) shown.push({ run, level: data.factors[f].levels[place[1]], values: run.v[m], steps: data.steps[run.e] });
    }
    if (!shown.length) {
      make("text", { x: width / 2, y: height / 2, "text-anchor": "middle" }, svg, "No runs to show: choose a level.");
      return;
    }
    const scaled = shown.some((s) => s.run.st === "complete") ? shown.filter((s) => s.run.st === "complete") : shown;
    let low = Infinity, high = -Infinity, first = Infinity, last = -Infinity;
    for (const s of scaled) for (const v of s.values) if (v !== null) { low = Math.min(low, v); high = Math.max(high, v); }
    for (const s of shown) { first = Math.min(first, s.steps[0]); last = Math.max(last, s.steps.at(-1)); }
    if (high === low) { low -= 0.5; high += 0.5; }
    const pad = (high - low) * 0.04;
    low -= pad; high += pad;
    const x = (e) => (last === first ? (left + right) / 2 : left + ((e - first) / (last - first)) * (right - left));
    const y = (v) => bottom - ((v - low) / (high - low)) * (bottom - top);
    const marks = ticks(low, high, 6);
    const digits = Math.min(8, Math.max(...marks.map((v) => (String(v).split(".")[1] ?? "").length)));
    for (const v of marks) {
      make("line", { class: "grid", x1: left, x2: right, y1: y(v), y2: y(v) }, svg);
      make("text", { x: left - 8, y: y(v) + 4, "text-anchor": "end" }, svg, String(v).includes("e") ? v : v.toFixed(digits));
    }
    for (const e of ticks(first, Math.max(last, first + 1), Math.min(10, width / 60)).filter((e) => Number.isInteger(e) && e <= last)) {
      make("text", { x: x(e), y: bottom + 17, "text-anchor": "middle" }, svg, e);
    }
    make("text", { x: right, y: height - 4, "text-anchor": "end" }, svg, data.step);
    make("text", { x: left, y: height - 4 }, svg, data.metrics[m]);
    const clip = make("clipPath", { id: "chart-area" }, make("defs", {}, svg));
    make("rect", { x: left - 4, y: top - 4, width: right - left + 8, height: bottom - top + 8 }, clip);
    layer = make("g", { "clip-path": "url(#chart-area)" }, svg);
    for (const s of shown) {
      s.points = s.values.map((v, i) => (v === null ? null : [x(s.steps[i]), y(v)]));
      const known = s.points.filter(Boolean);
      const d = "M" + known.map((p) => `${p[0].toFixed(1)} ${p[1].toFixed(1)}`).join("L") + (known.length > 1 ? "" : "h.01");
      s.path = make("path", { class: `run ${s.run.st}`, d, stroke: s.level.color }, layer);
    }
    tip = document.createElement("div");
    tip.className = "tip hidden";
    chart.append(tip);
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const k = width / box.width;
      nearest((event.clientX - box.left) * k, (event.clientY - box.top) * k);
    });
    svg.addEventListener("pointerleave", () => choose(null));
    svg.addEventListener("blur", () => choose(null));
    svg.addEventListener("keydown", keys);
  }

  function nearest(px, py) {
    let best = null, distance = 48 ** 2;
    for (const s of shown) {
      s.points.forEach((p, i) => {
        if (!p) return;
        const d = (p[0] - px) ** 2 + (p[1] - py) ** 2;
        if (d < distance) { distance = d; best = { s, i }; }
      });
    }
    choose(best);
  }

  function choose(next) {
    if (chosen) chosen.s.path.classList.remove("chosen");
    svg.querySelector(".dot")?.remove();
    chosen = next;
    chart.classList.toggle("choosing", Boolean(next));
    tip?.classList.toggle("hidden", !next);
    if (!next) { readout.textContent = ""; return; }
    const { s, i } = next, [px, py] = s.points[i];
    s.path.classList.add("chosen");
    layer.append(s.path);
    make("circle", { class: "dot", cx: px, cy: py, r: 4 }, svg);
    const state = s.run.st === "complete" ? "" : `, ${s.run.st}`;
    const at = `${data.step} ${s.steps[i]}`;
    const where = `${data.factors[factorIndex()].name} ${s.level.label}`;
    const strong = document.createElement("strong");
    strong.textContent = s.values[i];
    tip.replaceChildren(strong, `${where}, seed ${s.run.s}, ${at}${state}`);
    readout.textContent = `${data.metrics[metricIndex()]} ${s.values[i]} at ${where}, seed ${s.run.s}, ${at}${state} (run ${s.run.d})`;
    const k = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width || 1;
    const room = chart.clientWidth - tip.offsetWidth - 8;
    tip.style.left = `${Math.max(4, Math.min(room, px * k + 20))}px`;
    tip.style.top = `${Math.max(4, py * k - tip.offsetHeight - 6)}px`;
  }

  function keys(event) {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [1, 0], ArrowDown: [-1, 0] }[event.key];
    if (event.key === "Escape") choose(null);
    if (!step) return;
    event.preventDefault();
    if (!chosen) {
      const i = shown[0].points.findLastIndex(Boolean);
      choose({ s: shown[0], i });
      return;
    }
    const { s, i } = chosen;
    if (step[1]) {
      let j = i + step[1];
      while (j in s.points && !s.points[j]) j += step[1];
      if (s.points[j]) choose({ s, i: j });
      return;
    }
    const there = (o) => o.steps.indexOf(s.steps[i]);
    const column = shown.filter((o) => o.points[there(o)]).sort((a, b) => a.values[there(a)] - b.values[there(b)]);
    const other = column[column.indexOf(s) + step[0]];
    if (other) choose({ s: other, i: there(other) });
  }

  pickFactor.addEventListener("change", () => { fillLevels(); draw(); });
  pickMetric.addEventListener("change", draw);
  document.getElementById("pick-all").addEventListener("click", () => every(true));
  document.getElementById("pick-none").addEventListener("click", () => every(false));
  let waiting = 0;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(draw, 100);
  });
  fillLevels();
  draw();
})();
