/* Draws the charts and tables of a report from the JSON in #data, for the mapping that is chosen.
   Names are text of a stranger's spec: they reach the page through textContent and escaped() only. */
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const UNFUSED = "unfused";
  const state = { key: String(data.best), energy: "component", occupancy: "tensor", roofline: 0, open: new Set() };

  // -- numbers for people ---------------------------------------------------------------------

  const PREFIXES = [[1e18, "E"], [1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""], [1e-3, "m"],
    [1e-6, "µ"], [1e-9, "n"], [1e-12, "p"], [1e-15, "f"], [1e-18, "a"]];
  const BINARY = [[2 ** 50, "Pi"], [2 ** 40, "Ti"], [2 ** 30, "Gi"], [2 ** 20, "Mi"], [2 ** 10, "Ki"]];

  /** The prefix in which a number of this magnitude is written: its factor and the unit with it. */
  function scaleOf(value, unit) {
    const size = Math.abs(Number(value.toPrecision(3)));
    if (!(size > 0)) return { factor: 1, unit };
    const [factor, prefix] = PREFIXES.find(([f]) => f <= size * (1 + 1e-12)) || PREFIXES[PREFIXES.length - 1];
    return { factor, unit: prefix + unit };
  }
  function scaleOfSize(bits) {
    if (bits > 0 && bits < 8192 && bits % 8) return { factor: 1, unit: "bit" };
    const [factor, prefix] = BINARY.find(([f]) => f <= bits / 8) || [1, ""];
    return { factor: factor * 8, unit: `${prefix}B` };
  }
  /** About so many significant digits, without an exponent where that can be. */
  function digits(value, count = 4) {
    const rounded = Number(value.toPrecision(count));
    if (Math.abs(rounded) >= 10 ** count) return rounded.toLocaleString("en");
    if (rounded === 0 || Math.abs(rounded / value - 1) < 1e-9) return String(rounded);
    // What was rounded keeps its zeros: 60.0 ms was, 60 ms was not.
    return rounded.toFixed(Math.max(0, count - 1 - Math.floor(Math.log10(Math.abs(rounded)))));
  }
  function withUnit(value, unit) {
    if (value === null || value === undefined) return "unlimited";
    const { factor, unit: symbol } = scaleOf(value, unit);
    return `${digits(value / factor)} ${symbol}`.trim();
  }
  const joules = (value) => withUnit(value, "J");
  const seconds = (value) => withUnit(value, "s");
  const rate = (value) => withUnit(value, "op/s");
  function size(bits) {
    if (bits === null) return "unlimited";
    const { factor, unit } = scaleOfSize(bits);
    return `${digits(bits / factor)} ${unit}`;
  }
  function percent(share) {
    if (share === null) return "unlimited";
    const value = 100 * share;
    return `${value >= 99.95 || value === 0 ? value.toFixed(0) : value >= 0.1 ? value.toFixed(1) : "<0.1"} %`;
  }
  const times = (ratio) => `${digits(ratio, 3)}×`;
  const sum = (values) => values.reduce((a, b) => a + b, 0);

  // -- building elements ------------------------------------------------------------------------

  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value !== null && value !== undefined) made.setAttribute(name, value);
    }
    made.append(...children.filter((c) => c !== null));
    return made;
  }
  function dot(colour) {
    const mark = element("span", { class: "dot" });
    mark.style.background = colour;
    return mark;
  }
  /** A number with its exact value on hover; `share` (0 to 1) draws a bar behind it. */
  function cell(text, exact, share) {
    const made = element("td", { title: exact === undefined ? null : exact }, text);
    if (share !== undefined && share !== null) {
      const bar = element("i");
      bar.style.width = `${Math.min(100, Math.max(0, 100 * share))}%`;
      made.className = "heat";
      made.append(bar);
    }
    return made;
  }
  const named = (text, colour) =>
    element("td", { class: "l", title: text }, colour ? dot(colour) : null, element("span", { class: "name" }, text));
  function table(id, heads, rows) {
    const cells = heads.map((head) => element("th", { scope: "col", class: head.startsWith("<") ? "l" : null },
      head.replace(/^</, "")));
    byId(id).replaceChildren(element("thead", {}, element("tr", {}, ...cells)), element("tbody", {}, ...rows));
  }
  const line = (cells, attributes = {}) => element("tr", attributes, ...cells);

  /** A legend below a chart: colours that the chart uses, with their names. */
  function legend(chart, items) {
    let box = chart.nextElementSibling;
    if (!box || !box.classList.contains("key")) {
      box = element("p", { class: "key" });
      chart.after(box);
    }
    box.replaceChildren(...items.map(([name, colour]) => element("span", {}, dot(colour), name)));
  }

  // -- charts -------------------------------------------------------------------------------------

  /** Plotly reads some HTML in texts: what a spec names must not be read so. */
  const escaped = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const short = (text, most = 18) => escaped(text.length > most ? `${text.slice(0, most - 1)}…` : text);
  function theme() {
    const style = getComputedStyle(document.documentElement);
    return (name) => style.getPropertyValue(`--${name}`).trim();
  }
  function axis(colour, more = {}) {
    return { gridcolor: colour("line"), zeroline: false, linecolor: colour("line"), tickcolor: colour("line"),
      automargin: true, fixedrange: true, ...more, title: { text: more.title || "", standoff: 8, font: { size: 12 } } };
  }
  function draw(chart, traces, layout) {
    const colour = theme();
    const { x = {}, y = {}, height, ...rest } = layout;
    Plotly.react(chart, traces, {
      height,
      margin: { l: 8, r: 12, t: 10, b: 8 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("soft") },
      hoverlabel: { bgcolor: colour("ink"), bordercolor: colour("ink"), font: { color: colour("paper"), size: 12 }, align: "left" },
      hovermode: "closest",
      showlegend: false,
      dragmode: false,
      xaxis: axis(colour, x),
      yaxis: axis(colour, y),
      ...rest,
    }, { displayModeBar: false, responsive: true });
  }

  // -- the mapping that is shown ----------------------------------------------------------------------

  const detail = () => data.details[state.key];
  const nameOf = (key) => (key === UNFUSED ? "no fusion" : `mapping ${key}`);
  const edp = ([energy, latency]) => energy * latency;

  function show(key) {
    if (!(key in data.details)) return;
    state.key = key;
    state.open.clear();
    const select = byId("mapping-select");
    if (select.value !== key) select.value = key;
    for (const nest of document.querySelectorAll(".nest")) {
      nest.hidden = nest.dataset.mapping !== key;
      if (!nest.hidden) byId("nest-hint").hidden = nest.scrollWidth <= nest.clientWidth;
    }
    drawAll();
  }
  function drawAll() {
    drawFront();
    drawEnergy();
    drawLatency();
    drawOccupancy();
    drawSpatial();
    drawRoofline();
    drawUnfused();
  }

  // -- Pareto front -------------------------------------------------------------------------------------

  function drawFront() {
    const colour = theme();
    const all = [...data.points, ...data.unfused];
    const x = scaleOf(Math.max(...all.map((p) => p[1])), "s");
    const y = scaleOf(Math.max(...all.map((p) => p[0])), "J");
    const told = (name, point) => `<b>${name}</b><br>${joules(point[0])}, ${seconds(point[1])}<br>EDP ${withUnit(edp(point), "J·s")}`;
    const trace = (items, more) => ({
      type: "scatter", mode: "markers", hoverinfo: "text", cliponaxis: false,
      x: items.map((i) => i.point[1] / x.factor), y: items.map((i) => i.point[0] / y.factor),
      customdata: items.map((i) => i.key), hovertext: items.map((i) => told(i.name, i.point)), ...more,
    });
    const points = data.points.map((point, i) => ({ point, key: String(i), name: `mapping ${i}` }));
    const without = data.unfused.map((point, i) => ({ point, key: UNFUSED, name: `no fusion${data.unfused.length > 1 ? ` ${i}` : ""}` }));
    const shown = points.filter((p) => p.key in data.details);
    const rest = points.filter((p) => !(p.key in data.details));
    const front = [...points].sort((a, b) => a.point[1] - b.point[1]);
    const best = points[data.best];
    const selected = state.key === UNFUSED
      ? { point: detail().point, key: UNFUSED, name: "no fusion" } : points[Number(state.key)];
    const iso = isoEdp(best.point, all, x, y, colour);
    const traces = [
      trace(front, { mode: "lines", line: { color: colour("line"), shape: "hv", width: 1.5 }, hoverinfo: "skip" }),
      iso,
      trace(rest, { marker: { size: 6, color: colour("paper"), line: { color: colour("soft"), width: 1 } } }),
      trace(without, { marker: { size: 10, symbol: "diamond-open", color: colour("soft"), line: { width: 1.5 } } }),
      trace(shown, { marker: { size: 10, color: colour("accent") } }),
      trace([best], { marker: { size: 12, color: colour("best") } }),
      trace([selected], { marker: { size: 19, symbol: "circle-open", color: colour("ink"), line: { width: 2 } } }),
    ];
    draw(byId("chart-front"), traces, { height: 340, x: { title: `latency (${x.unit})`, ...around(all.map((p) => p[1] / x.factor)) },
      y: { title: `energy (${y.unit})`, ...around(all.map((p) => p[0] / y.factor)) } });
    const items = [[iso.x.length ? "least EDP (dotted: as good)" : "least EDP", colour("best")]];
    if (points.length > 1) items.push(["other mappings", colour("accent")]);
    if (without.length) items.push(["no fusion", colour("soft")]);
    legend(byId("chart-front"), items);
    tableOfFront(shown.concat(data.details[UNFUSED] ? [{ point: data.details[UNFUSED].point, key: UNFUSED, name: "no fusion" }] : []));
  }
  /** An axis range with room around the points, also around a single one. */
  function around(values) {
    const low = Math.min(...values), high = Math.max(...values);
    const room = high > low ? (high - low) * 0.12 : Math.abs(high) * 0.1 || 1;
    return { range: [low - room, high + room] };
  }
  /** Points of the same energy-delay product as the best. */
  function isoEdp(best, all, x, y, colour) {
    const low = Math.min(...all.map((p) => p[1])), high = Math.max(...all.map((p) => p[1]));
    const xs = high > low && edp(best) > 0 ? Array.from({ length: 61 }, (_, i) => low + (i / 60 * 1.24 - 0.12) * (high - low)) : [];
    const inside = xs.filter((v) => v > 0);
    return { type: "scatter", mode: "lines", hoverinfo: "skip", x: inside.map((v) => v / x.factor),
      y: inside.map((v) => edp(best) / v / y.factor), line: { color: colour("best"), width: 1, dash: "dot" } };
  }
  function tableOfFront(items) {
    const rows = items.map((item) => {
      const star = item.key === String(data.best) ? dot(theme()("best")) : null;
      return line([
        element("th", { scope: "row" }, star, item.name),
        cell(joules(item.point[0]), `${item.point[0]} J`), cell(seconds(item.point[1]), `${item.point[1]} s`),
        cell(withUnit(edp(item.point), "J·s"), `${edp(item.point)} J·s`),
      ], { class: item.key === state.key ? "pick on" : "pick", onclick: () => show(item.key) });
    });
    table("table-front", ["<", "energy", "latency", "EDP"], rows);
    const box = byId("table-front").parentElement, on = rows.find((row) => row.classList.contains("on"));
    if (on) box.scrollTop = on.offsetTop - box.clientHeight / 2;
  }

  // -- energy -----------------------------------------------------------------------------------------------

  const GREY = "#9aa5b1";
  const dimensions = {
    einsum: { at: 0, name: (i) => data.einsums[i].name, colour: () => null, noun: "Einsum" },
    component: { at: 1, name: (i) => data.components[i].name, colour: (i) => data.components[i].colour, noun: "component" },
    tensor: { at: 2, name: (i) => (i < 0 ? "computes, leakage" : data.tensors[i].name), noun: "tensor",
      colour: (i) => (i < 0 ? GREY : data.tensors[i].colour) },
  };
  /** Place -> sum of the energies of the parts that have it. */
  function grouped(parts, at) {
    const sums = new Map();
    for (const part of parts) sums.set(part[at], (sums.get(part[at]) || 0) + part[4]);
    return sums;
  }
  function drawEnergy() {
    const parts = detail().energy.filter((p) => p[4] > 0);
    const total = sum(parts.map((p) => p[4]));
    const by = dimensions[state.energy];
    const across = state.energy === "component" ? dimensions.tensor : dimensions.component;
    const sums = grouped(parts, by.at);
    const order = [...sums.keys()].sort((a, b) => (state.energy === "einsum" ? a - b : sums.get(b) - sums.get(a)));
    const bars = [...order].sort((a, b) => sums.get(b) - sums.get(a)).slice(0, 60);
    const listed = order.filter((i) => bars.includes(i));
    const unit = scaleOf(Math.max(0, ...sums.values()), "J");
    const stacks = [...grouped(parts, across.at).keys()].sort((a, b) => a - b);
    const cells = new Map();
    for (const p of parts) cells.set(`${p[by.at]} ${p[across.at]}`, (cells.get(`${p[by.at]} ${p[across.at]}`) || 0) + p[4]);
    const traces = stacks.map((stack) => ({
      type: "bar", orientation: "h", hoverinfo: "text", marker: { color: across.colour(stack) },
      y: listed.map((_, i) => i), x: listed.map((i) => (cells.get(`${i} ${stack}`) || 0) / unit.factor),
      hovertext: listed.map((i) => {
        const energy = cells.get(`${i} ${stack}`) || 0;
        return `<b>${short(by.name(i), 60)}</b><br>${short(across.name(stack), 60)}: ${joules(energy)}, ${percent(energy / total)}`;
      }),
    }));
    const chart = byId("chart-energy");
    draw(chart, traces, {
      height: 60 + 26 * Math.max(listed.length, 3), barmode: "stack", bargap: 0.3, x: { title: `energy (${unit.unit})` },
      y: { autorange: "reversed", tickvals: listed.map((_, i) => i), ticktext: listed.map((i) => short(by.name(i))), showgrid: false },
    });
    legend(chart, stacks.map((s) => [across.name(s), across.colour(s)]));
    tableOfEnergy(parts, total, by, order, sums);
    const top = [...sums.entries()].sort((a, b) => b[1] - a[1])[0];
    byId("energy-about").textContent = top
      ? `${joules(total)} in all; ${by.noun} ${by.name(top[0])} takes ${percent(top[1] / total)}. Open a row to see its parts.`
      : "Nothing costs energy.";
  }
  function tableOfEnergy(parts, total, by, order, sums) {
    const rows = [];
    for (const i of order) {
      const energy = sums.get(i), open = state.open.has(i);
      const more = element("button", { type: "button", class: "more", "aria-expanded": String(open), title: by.name(i),
        onclick: () => { if (!state.open.delete(i)) state.open.add(i); drawEnergy(); } },
      by.colour(i) ? dot(by.colour(i)) : null, element("span", {}, by.name(i)));
      rows.push(line([element("td", { class: "l" }, more), cell(joules(energy), `${energy} J`),
        cell(percent(energy / total), `${100 * energy / total} %`, energy / total)]));
      if (open) rows.push(...partsOf(parts.filter((p) => p[by.at] === i), by, total));
    }
    rows.push(line([element("td", { class: "l" }, "total"), cell(joules(total), `${total} J`), cell("100 %")], { class: "sum" }));
    table("table-energy", [`<${by.noun}`, "energy", "share"], rows);
  }
  /** The largest parts of one row: what the other two dimensions and the action say of it. */
  function partsOf(parts, by, total) {
    const others = ["einsum", "component", "tensor"].map((name) => dimensions[name]).filter((d) => d !== by);
    const sorted = [...parts].sort((a, b) => b[4] - a[4]);
    const rows = sorted.slice(0, 12).map((part) => {
      const words = others.filter((d) => part[d.at] >= 0).map((d) => d.name(part[d.at]));
      const text = [...words, part[3]].join(" · ");
      return line([element("td", { class: "l", title: text }, element("span", { class: "name" }, text)),
        cell(joules(part[4]), `${part[4]} J`), cell(percent(part[4] / total))], { class: "part" });
    });
    const rest = sum(sorted.slice(12).map((p) => p[4]));
    if (rest > 0) rows.push(line([element("td", { class: "l" }, `${sorted.length - 12} more`), cell(joules(rest)), cell(percent(rest / total))], { class: "part" }));
    return rows;
  }

  // -- latency ------------------------------------------------------------------------------------------------

  function drawLatency() {
    const rows = detail().latency;
    const total = sum(rows.map((r) => r.seconds || 0));
    const unit = scaleOf(Math.max(0, ...rows.map((r) => r.seconds || 0)), "s");
    const places = rows.map((_, i) => i);
    const colourOf = (i) => (i < 0 ? GREY : data.components[i].colour);
    const bound = (i) => (i < 0 ? "nothing" : data.components[i].name);
    const bars = { type: "bar", orientation: "h", hoverinfo: "text", y: places, x: rows.map((r) => (r.seconds || 0) / unit.factor),
      marker: { color: rows.map((r) => colourOf(r.bottleneck)) },
      hovertext: rows.map((r, i) => `<b>${short(data.einsums[i].name, 60)}</b><br>${seconds(r.seconds)}, bound by ${short(bound(r.bottleneck), 60)}`) };
    const ticks = [];
    rows.forEach((r, i) => {
      for (const [component, busy] of r.busy) {
        if (busy > 0 && component !== r.bottleneck) ticks.push([i, component, busy, r.seconds]);
      }
    });
    const marks = { type: "scatter", mode: "markers", hoverinfo: "text", cliponaxis: false, y: ticks.map((t) => t[0]), x: ticks.map((t) => t[2] / unit.factor),
      marker: { symbol: "line-ns", size: 16, line: { width: 3, color: ticks.map((t) => colourOf(t[1])) } },
      hovertext: ticks.map((t) => `${short(data.components[t[1]].name, 60)} is busy for ${seconds(t[2])}, ${percent(t[2] / t[3])}`) };
    const halo = { ...marks, hoverinfo: "skip", marker: { symbol: "line-ns", size: 18, line: { width: 5, color: theme()("paper") } } };
    const chart = byId("chart-latency");
    draw(chart, [bars, halo, marks], {
      height: 60 + 26 * Math.max(rows.length, 3), bargap: 0.35, x: { title: `latency (${unit.unit})`, rangemode: "tozero" },
      y: { autorange: "reversed", tickvals: places, ticktext: data.einsums.map((e) => short(e.name)), showgrid: false },
    });
    const busy = [...new Set(rows.flatMap((r) => r.busy.filter((b) => b[1] > 0).map((b) => b[0])))].sort((a, b) => a - b);
    legend(chart, busy.map((i) => [data.components[i].name, colourOf(i)]));
    tableOfLatency(rows, total, busy, bound, colourOf);
    aboutLatency(rows, total, bound);
  }
  function tableOfLatency(rows, total, busy, bound, colourOf) {
    const made = rows.map((r, i) => line([
      named(data.einsums[i].name), cell(seconds(r.seconds), `${r.seconds} s`),
      cell(percent(total ? r.seconds / total : 0), undefined, total ? r.seconds / total : 0), named(bound(r.bottleneck), colourOf(r.bottleneck)),
      ...busy.map((component) => {
        const mine = r.busy.find((b) => b[0] === component);
        return mine && mine[1] > 0 && r.seconds ? cell(percent(mine[1] / r.seconds), `${data.components[component].name} is busy for ${mine[1]} s`, mine[1] / r.seconds) : cell("–");
      }),
    ]));
    made.push(line([element("td", { class: "l" }, "total"), cell(seconds(total), `${total} s`), cell("100 %"), element("td"), ...busy.map(() => element("td"))], { class: "sum" }));
    table("table-latency", ["<Einsum", "latency", "share", "<bottleneck", ...busy.map((i) => `${data.components[i].name} busy`)], made);
  }
  function aboutLatency(rows, total, bound) {
    const sums = new Map();
    for (const r of rows) sums.set(r.bottleneck, (sums.get(r.bottleneck) || 0) + (r.seconds || 0));
    const told = [...sums.entries()].filter((e) => e[1] > 0).sort((a, b) => b[1] - a[1])
      .map(([i, s]) => `${bound(i)} for ${percent(s / total)}`).join(", ");
    const slow = rows.map((r, i) => [r.seconds || 0, data.einsums[i].name]).sort((a, b) => b[0] - a[0]).slice(0, 3);
    const longest = rows.length > 3
      ? ` The longest are ${slow.map(([s, name]) => `${short(name, 40)} (${percent(s / total)})`).join(", ")}.` : "";
    byId("latency-about").textContent = total > 0
      ? `${seconds(total)} in all, bound by ${told} of the time.${longest} Einsums run one after the other; a bar has the colour of the component that makes it so long, ticks say how long others are busy.`
      : "Nothing takes time.";
  }

  // -- occupancy -------------------------------------------------------------------------------------------------

  const LEVELS = ["#1f4e79", "#3d7ab0", "#6fa8d6", "#a5cbe8", "#cfe3f3", "#b7d5b0", "#8fbf86"];
  const levelColour = (level) => (level < 0 ? "#c05621" : LEVELS[Math.min(level, LEVELS.length - 1)]);
  const levelName = (level) => (level < 0 ? "persistent" : level === 0 ? "above all loops" : `below ${level} loop${level > 1 ? "s" : ""}`);
  function drawOccupancy() {
    const memories = detail().occupancy;
    const box = byId("charts-occupancy");
    for (const chart of box.querySelectorAll(".js-plotly-plot")) Plotly.purge(chart);
    byId("occupancy-about").textContent = memories.length
      ? "What one instance of each memory of limited size keeps while an Einsum runs: its own tiles, and what others need later. The dashed line is the size."
      : "No memory of limited size holds anything.";
    box.replaceChildren(...memories.map((m, i) => element("div", {}, element("h3", {}, data.components[m.memory].name, " ", element("small", {}, peakOf(m))),
      element("div", { class: "chart", id: `chart-occupancy-${i}`, role: "img", "aria-label": `Occupancy of ${data.components[m.memory].name}: ${peakOf(m)}` }))));
    memories.forEach((memory, i) => drawMemory(byId(`chart-occupancy-${i}`), memory));
  }
  function fullest(memory) {
    return memory.moments.reduce((best, m, i) => ((m.share ?? Infinity) > (memory.moments[best].share ?? Infinity) ? i : best), 0);
  }
  function peakOf(memory) {
    const at = fullest(memory), moment = memory.moments[at];
    return `${size(moment.bits)} of ${size(moment.size)}, ${percent(moment.share)}, while ${data.einsums[at].name} runs`;
  }
  function drawMemory(chart, memory) {
    const sizes = new Set(memory.moments.map((m) => m.size));
    const same = sizes.size === 1 && !sizes.has(null);
    const capacity = same ? [...sizes][0] : null;
    const top = Math.max(capacity || 0, ...memory.moments.map((m) => m.bits));
    const unit = same ? scaleOfSize(top) : { factor: 1, unit: "% of the size" };
    const height = (bits, moment) => (same ? bits / unit.factor : moment.size ? 100 * bits / moment.size : 0);
    const byTensor = state.occupancy === "tensor";
    const keyOf = (kept) => (byTensor ? kept[0] : kept[2]);
    const keys = [...new Set(memory.moments.flatMap((m) => m.kept.map(keyOf)))].sort((a, b) => a - b);
    const traces = keys.map((key) => {
      const mine = memory.moments.map((m) => m.kept.filter((k) => keyOf(k) === key));
      return {
        type: "bar", hoverinfo: "text", x: memory.moments.map((_, i) => i),
        marker: { color: byTensor ? data.tensors[key].colour : levelColour(key), line: { width: 0.5, color: theme()("paper") } },
        y: memory.moments.map((m, i) => height(sum(mine[i].map((k) => k[1])), m)),
        hovertext: memory.moments.map((m, i) => `<b>while ${short(data.einsums[i].name, 60)} runs</b><br>${mine[i].map(toldOf).join("<br>")}<br>in all ${size(m.bits)}, ${percent(m.share)}`),
      };
    });
    const ends = [-0.5, memory.moments.length - 0.5];
    traces.push({ type: "scatter", mode: "lines", x: ends, y: [height(capacity ?? 1, { size: 1 }), height(capacity ?? 1, { size: 1 })],
      hoverinfo: "text", hovertext: same ? `size ${size(capacity)}` : "size", line: { color: theme()("ink"), dash: "dash", width: 1.2 } });
    draw(chart, traces, {
      height: 250, barmode: "stack", bargap: 0.12, x: { tickvals: memory.moments.map((_, i) => i), ticktext: data.einsums.map((e) => short(e.name, 12)), showgrid: false, range: ends, tickangle: crowded(chart) ? -45 : 0 },
      y: { title: unit.unit, rangemode: "tozero" },
    });
    legend(chart, keys.map((key) => (byTensor ? [data.tensors[key].name, data.tensors[key].colour] : [levelName(key), levelColour(key)])));
  }
  /** Would the names of the Einsums stand in each other's way below the chart? */
  function crowded(chart) {
    const longest = Math.max(...data.einsums.map((e) => Math.min(12, e.name.length)));
    return data.einsums.length * (longest * 6.5 + 6) > chart.clientWidth - 70;
  }
  const toldOf = ([tensor, bits, level, shared]) => `${short(data.tensors[tensor].name, 60)}: ${size(bits)}, ${levelName(level)}${shared ? ", shared" : ""}`;

  // -- spatial utilisation ---------------------------------------------------------------------------------------------

  function drawSpatial() {
    const used = detail().spatial;
    byId("spatial").hidden = !used.length;
    const columns = [...new Set(used.map((u) => u[1]))];
    const rows = data.einsums.map((einsum, i) => line([named(einsum.name), ...columns.map((column) => {
      const mine = used.find((u) => u[0] === i && u[1] === column);
      return mine ? cell(percent(mine[2]), `${100 * mine[2]} %`, mine[2]) : cell("–");
    })]));
    table("table-spatial", ["<Einsum", ...columns], rows);
  }

  // -- roofline ---------------------------------------------------------------------------------------------------------

  function drawRoofline() {
    const { whole, einsums } = detail().roofline;
    const memories = whole ? whole.slopes : [];
    state.roofline = Math.min(state.roofline, Math.max(0, memories.length - 1));
    byId("roofline").hidden = !whole;
    if (!whole) return;
    byId("roofline-toggle").replaceChildren(...(memories.length > 1 ? memories : []).map(([component], i) => element("button", {
      type: "button", "aria-pressed": String(i === state.roofline), onclick: () => { state.roofline = i; drawRoofline(); },
    }, data.components[component].name)));
    byId("roofline-about").textContent = `The whole runs at ${rate(whole.performance)}${whole.roof ? `, ${percent(whole.performance / whole.roof)} of its lowest roof, ${whole.binding} (${rate(whole.roof)})` : ""}. `
      + (memories.length ? "One op is one point of an Einsum's iteration space. Roofs are those of all instances: what idle ones do not do is missing below them." : "No memory has a limited bandwidth, so computes alone bind.");
    const memory = memories.length ? memories[state.roofline][0] : -1;
    const chart = byId("chart-roofline");
    chart.parentElement.style.gridTemplateColumns = memory < 0 ? "1fr" : "";
    chart.hidden = memory < 0;
    if (memory >= 0) drawRoofs(chart, whole, einsums, memory);
    tableOfRoofline([whole, ...einsums], memory);
  }
  const intensityAt = (point, memory) => {
    const slope = point.slopes.find((s) => s[0] === memory);
    return slope ? 8 * point.computes / slope[1] : null;  // per byte
  };
  function drawRoofs(chart, whole, einsums, memory) {
    const colour = theme();
    const points = merged(einsums.filter((p) => intensityAt(p, memory) !== null), memory);
    const shown = [...points.map((p) => p.point), whole];
    const bandwidth = whole.slopes.find((s) => s[0] === memory)[2];
    const peaks = new Map();
    for (const p of einsums) if (p.peak !== null) peaks.set(p.compute, p.peak);
    const top = Math.max(...peaks.values(), whole.performance);
    const xs = shown.map((p) => intensityAt(p, memory));
    const ridges = [...peaks.values()].map((peak) => 8 * peak / bandwidth);
    const left = Math.min(...xs, ...ridges) / 10, right = Math.max(...xs, ...ridges) * 10;
    const traces = [{ type: "scatter", mode: "lines", hoverinfo: "text", line: { color: data.components[memory].colour, width: 2 },
      hovertext: `${short(data.components[memory].name, 60)}: ${withUnit(bandwidth / 8, "B/s")}`,
      x: [left, 8 * top / bandwidth], y: [left * bandwidth / 8, top] }];
    for (const [compute, peak] of peaks) {
      traces.push({ type: "scatter", mode: "lines+text", hoverinfo: "text", hovertext: `${short(compute, 60)}: ${rate(peak)}`, text: ["", short(compute)], textposition: "top left",
        x: [8 * peak / bandwidth, right], y: [peak, peak], line: { color: colour("ink"), width: 2 } });
    }
    const told = (p, names) => `<b>${short(names, 80)}</b><br>${rate(p.performance)}, ${digits(intensityAt(p, memory))} op/B<br>lowest roof: ${short(p.binding, 60)}${p.roof ? `, ${percent(p.performance / p.roof)} of it` : ""}`;
    traces.push({ type: "scatter", mode: "markers", hoverinfo: "text", cliponaxis: false, marker: { size: 9, color: colour("accent") },
      x: points.map((p) => intensityAt(p.point, memory)), y: points.map((p) => p.point.performance), hovertext: points.map((p) => told(p.point, p.names)) });
    traces.push({ type: "scatter", mode: "markers", hoverinfo: "text", cliponaxis: false, marker: { size: 13, symbol: "star", color: colour("best") },
      x: [intensityAt(whole, memory)], y: [whole.performance], hovertext: [told(whole, "whole")] });
    const low = Math.min(...shown.map((p) => p.performance / 10), top / 100);
    const xRange = [Math.log10(left), Math.log10(right)], yRange = [Math.log10(low), Math.log10(top * 4)];
    const labels = points.map((p) => ({ point: p.point, text: short(p.names, 22), colour: colour("ink") })).concat([{ point: whole, text: "whole", colour: colour("best") }]);
    const decades = { type: "log", exponentformat: "SI", dtick: 1, minor: { showgrid: false } };
    draw(chart, traces, { height: 360, annotations: labelled(labels, memory, xRange, yRange, chart.clientWidth - 70, 300),
      x: { title: `op per byte moved at ${short(data.components[memory].name, 40)}`, range: xRange, ...decades }, y: { title: "op/s", range: yRange, ...decades } });
    legend(chart, [[data.components[memory].name, data.components[memory].colour], ["computes", colour("ink")]]);
  }
  /** Labels below their points, each as far down as it must be to stand clear of the others. */
  function labelled(labels, memory, xRange, yRange, width, height) {
    const taken = [];
    const at = (value, [low, high], length) => (Math.log10(value) - low) / (high - low) * length;
    return labels.map((label) => {
      const x = intensityAt(label.point, memory), y = label.point.performance;
      const px = at(x, xRange, width), py = height - at(y, yRange, height), half = label.text.length * 3.4 + 4;
      let down = 22;
      while (taken.some((t) => Math.abs(t.px - px) < t.half + half && Math.abs(t.py - (py + down)) < 15)) down += 5;
      taken.push({ px, py: py + down, half });
      return { x: Math.log10(x), y: Math.log10(y), text: label.text, ax: 0, ay: down, font: { size: 11, color: label.colour },
        showarrow: true, arrowhead: 0, arrowwidth: 0.6, arrowcolor: label.colour, standoff: 5, bgcolor: theme()("paper"), borderpad: 1 };
    });
  }
  /** Einsums that stand in the same place, under one label. */
  function merged(points, memory) {
    const places = new Map();
    for (const point of points) {
      const at = `${intensityAt(point, memory).toPrecision(3)} ${point.performance.toPrecision(3)}`;
      const name = data.einsums[point.einsum].name;
      const before = places.get(at);
      if (before) before.names += `, ${name}`;
      else places.set(at, { point, names: name });
    }
    return [...places.values()];
  }
  function tableOfRoofline(points, memory) {
    const rows = points.map((p) => {
      const intensity = memory < 0 ? null : intensityAt(p, memory);
      return line([
        named(p.einsum < 0 ? "whole" : data.einsums[p.einsum].name),
        cell(rate(p.performance), `${p.performance} op/s`), p.peak ? cell(percent(p.performance / p.peak), `of ${p.peak} op/s`, p.performance / p.peak) : cell("–"),
        ...(memory < 0 ? [] : [intensity === null ? cell("–") : cell(digits(intensity), `${intensity} op/B`)]),
        element("td", { class: "l" }, p.binding), p.roof ? cell(percent(p.performance / p.roof), `of ${p.roof} op/s`, p.performance / p.roof) : cell("–"),
      ], { class: p.einsum < 0 ? "on" : null });
    });
    table("table-roofline", ["<Einsum", "op/s", "of peak", ...(memory < 0 ? [] : ["op/B"]), "<lowest roof", "of it"], rows);
  }

  // -- comparison with no fusion ---------------------------------------------------------------------------------------------

  function drawUnfused() {
    const without = data.details[UNFUSED];
    if (!without) return;
    const key = state.key === UNFUSED ? String(data.best) : state.key;
    const mine = data.details[key];
    const sums = [grouped(without.energy, 1), grouped(mine.energy, 1)];
    const components = [...new Set([...sums[0].keys(), ...sums[1].keys()])].sort((a, b) => a - b).filter((c) => (sums[0].get(c) || 0) + (sums[1].get(c) || 0) > 0);
    const unit = scaleOf(Math.max(without.point[0], mine.point[0]), "J");
    const names = ["no fusion", nameOf(key)];
    const traces = components.map((c) => ({ type: "bar", orientation: "h", hoverinfo: "text", marker: { color: data.components[c].colour }, y: [0, 1],
      x: sums.map((s) => (s.get(c) || 0) / unit.factor), hovertext: sums.map((s, i) => `<b>${names[i]}</b><br>${short(data.components[c].name, 60)}: ${joules(s.get(c) || 0)}`) }));
    const chart = byId("chart-unfused");
    draw(chart, traces, { height: 150, barmode: "stack", bargap: 0.3, x: { title: `energy (${unit.unit})` }, y: { autorange: "reversed", tickvals: [0, 1], ticktext: names, showgrid: false } });
    legend(chart, components.map((c) => [data.components[c].name, data.components[c].colour]));
    const row = (name, before, after, told, exact, attributes = {}, colour) => line([named(name, colour), cell(told(before), exact(before)), cell(told(after), exact(after)),
      cell(after > 0 ? times(before / after) : before > 0 ? "none" : "–", after > 0 ? `${before / after}` : undefined)], attributes);
    const [je, jx] = [joules, (v) => `${v} J`];
    const rows = [
      row("EDP", edp(without.point), edp(mine.point), (v) => withUnit(v, "J·s"), (v) => `${v} J·s`, { class: "on" }),
      row("latency", without.point[1], mine.point[1], seconds, (v) => `${v} s`, { class: "on" }),
      row("energy", without.point[0], mine.point[0], je, jx, { class: "on" }),
      ...components.map((c) => row(data.components[c].name, sums[0].get(c) || 0, sums[1].get(c) || 0, je, jx, {}, data.components[c].colour)),
    ];
    table("table-unfused", ["<", ...names, "factor"], rows);
  }

  // -- what the reader does -----------------------------------------------------------------------------------------------------

  byId("mapping-select").addEventListener("change", (event) => show(event.target.value));
  for (const group of document.querySelectorAll(".toggle[data-for]")) {
    group.addEventListener("click", (event) => {
      const value = event.target.dataset.value;
      if (!value) return;
      for (const button of group.children) button.setAttribute("aria-pressed", String(button === event.target));
      state[group.dataset.for] = value;
      state.open.clear();
      if (group.dataset.for === "energy") drawEnergy(); else drawOccupancy();
    });
  }
  byId("legend").addEventListener("click", (event) => {
    const chip = event.target.closest(".chip");
    if (!chip) return;
    const follow = chip.getAttribute("aria-pressed") !== "true";
    for (const other of byId("legend").children) other.setAttribute("aria-pressed", String(follow && other === chip));
    byId("mapping").classList.toggle("following", follow);
    for (const tile of document.querySelectorAll(".nest .chip")) tile.classList.toggle("followed", follow && tile.dataset.tensor === chip.dataset.tensor);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  // On paper charts are as wide as the paper, and dark ink is what prints.
  addEventListener("beforeprint", () => { drawAll(); for (const chart of document.querySelectorAll(".js-plotly-plot")) Plotly.relayout(chart, { width: Math.min(680, chart.clientWidth) }); });
  addEventListener("afterprint", () => { for (const chart of document.querySelectorAll(".js-plotly-plot")) Plotly.relayout(chart, { width: null, autosize: true }); drawAll(); });

  show(state.key);
  byId("chart-front").on("plotly_click", (event) => show(event.points[0].customdata));
})();
