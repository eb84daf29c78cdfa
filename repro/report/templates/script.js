"use strict";
document.body.classList.add("js");
const byId = (id) => document.getElementById(id);
const detail = byId("detail"), contents = byId("contents");

/** An element with a class and children; text stays text. */
function made(tag, name = "", ...children) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.append(...children);
  return element;
}

// ---- packed data: base64, raw deflate, JSON; unpacked once
const unpacked = new Map();
function unpack(id) {
  if (!unpacked.has(id)) unpacked.set(id, inflate(byId(id).textContent));
  return unpacked.get(id);
}
async function inflate(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return JSON.parse(await new Response(stream).text());
}
async function record(position) {
  const { block } = await unpack("pack-index");
  return (await unpack(`pack-records-${Math.floor(position / block)}`))[position % block];
}

// ---- the panel: a cell with its records, or one record
let opener = null;
function show(title, nodes, from = null) {
  const heading = made("h2", "", title), close = made("button", "close", "Close");
  heading.id = "detail-title";
  close.onclick = hide;
  detail.replaceChildren(close, heading, ...nodes);
  if (from || detail.hidden) opener = from ?? document.activeElement;
  detail.hidden = false;
  document.body.classList.add("open");
  detail.scrollTop = 0;
  detail.focus({ preventScroll: true });
}
function hide() {
  if (detail.hidden) return;
  detail.hidden = true;
  document.body.classList.remove("open");
  marked(null);
  history.replaceState(null, "", location.pathname + location.search);
  (opener?.isConnected ? opener : document.body).focus({ preventScroll: true });
}
function marked(element) {
  document.querySelectorAll(".shown").forEach((old) => old.classList.remove("shown"));
  element?.classList.add("shown");
}
/** A button that copies a text, or what a function gives when it is pressed. */
function copier(label, text) {
  const button = made("button", "copy", label);
  button.onclick = async () => {
    const told = typeof text === "function" ? text() : text;
    try {
      await navigator.clipboard.writeText(told);
    } catch { // no permission, or a page that is not secure
      const area = made("textarea", "", told);
      button.after(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    button.dataset.copied = told;
    button.textContent = "Copied";
  };
  return button;
}
const link = () => copier("Copy link", () => location.href);

/** Heading cell over a cell of a results table, and its group's title. */
function heading(cell) {
  const table = cell.closest("table"), [groups, titles] = table.tHead.rows;
  let left = cell.cellIndex, group = null;
  for (group of groups.cells) if ((left -= group.colSpan) < 0) break;
  return { title: titles.cells[cell.cellIndex], group };
}
const plain = (element) => {
  const copy = element.cloneNode(true);
  copy.querySelectorAll("sup").forEach((sup) => sup.remove());
  copy.querySelectorAll("br").forEach((line) => line.replaceWith(" "));
  return copy.textContent.trim().replace(/\s+/g, " ");
};
/** Footnotes of a cell, its column and its row. */
function notes(cell, title) {
  const [, paper, name] = cell.id.match(/^([^/]+)\/([^/]+)/);
  const signs = [cell, title, cell.parentElement.cells[0]].map((one) => one.querySelector("sup")?.textContent ?? "");
  const found = new Set(signs.join(",").split(",").map((sign) => sign.trim()).filter(Boolean));
  const list = made("ul");
  for (const sign of found) {
    const note = byId(`note-${paper}-${name}-${sign}`);
    if (note && !/beside print: =|deviations [\d, to]+ below/.test(note.textContent)) list.append(made("li", "", note.textContent.trim().slice(sign.length).trim()));
  }
  return list;
}
const KINDS = {
  published: "printed by the paper", measured: "measured here", derived: "arithmetic on printed values", reason: "empty",
};
async function showCell(cell, from = focusable(cell)) {
  marked(cell);
  const { title, group } = heading(cell), kind = Object.keys(KINDS).find((name) => cell.classList.contains(name));
  const about = [KINDS[kind], plain(group), plain(title.closest("table").caption).split(":")[0]].filter(Boolean).join(" · ");
  const list = notes(cell, title), nodes = [made("p", "eyebrow", cell.id), made("p", "value", plain(cell)), made("p", "legend", about)];
  if (list.childElementCount) nodes.push(made("h4", "", "What must be known"), list);
  const buttons = made("p", "buttons", link(), " ", copier("Copy explain", `python -m repro explain ${cell.id}`));
  nodes.push(buttons);
  show(`${plain(cell.parentElement.cells[0])}: ${plain(title)}`, nodes, from);
  cell.scrollIntoView({ block: "nearest", inline: "nearest" });
  const [paper, table, row, ...column] = cell.id.split("/"), { cells, records, verdicts } = await unpack("pack-index");
  const found = cells[`${paper}/${table}`]?.[row]?.[column.join("/")] ?? [];
  if (detail.hidden || detail.querySelector(".eyebrow")?.textContent !== cell.id) return;
  if (verdicts[cell.id]) {
    const [word, ...told] = verdicts[cell.id].split(": "), kind = cell.dataset.verdict;
    detail.querySelector(".value").after(made("p", "", made("span", `verdict ${kind}`, word), ` ${told.join(": ")}`));
    [...list.children].find((one) => one.textContent === verdicts[cell.id])?.remove(); // said once
    if (!list.childElementCount) list.previousElementSibling?.remove();
  }
  if (!found.length) return;
  const { again } = await record(found[0]);
  buttons.prepend(copier("Copy command", again), " ");
  const lines = found.map((n) => folded(n, records[n]));
  detail.append(made("h4", "", found.length > 1 ? `${found.length} records` : "Record"), ...lines);
  if (lines.length === 1) lines[0].open = true;
}
/** One record as a line that unfolds. */
function folded(position, line) {
  const details = made("details"), [name, , , cell, seed, , headline, finished] = line;
  details.append(made("summary", "", `${cell}, seed ${seed}: ${headline} `, made("small", "", `${finished} · ${name}`)));
  details.ontoggle = async () => {
    if (details.open && details.childElementCount === 1) details.append(...whole(await record(position)));
  };
  return details;
}
async function showRecord(name) {
  const { records } = await unpack("pack-index"), position = records.findIndex((line) => line[0] === name);
  if (position < 0) return;
  const one = await record(position);
  show(`${one.row}, ${one.cell}, seed ${one.seed}`, [made("p", "eyebrow", one.path), made("p", "", records[position][6]), made("p", "", link()), ...whole(one)]);
}

/** All that a record holds. */
function whole(one) {
  const nodes = [made("h4", "", "Command"), made("pre", "", one.command.map(quoted).join(" ")), made("p", "", copier("Copy command", one.again))];
  const facts = [`${one.started} to ${one.finished}`, `${one.wall_s.toFixed(1)} s`, `status ${one.status}`];
  if (one.decoder) facts.push(`decoder ${one.decoder}`);
  if (one.weights_sha256) facts.push(`weights sha256 ${one.weights_sha256}`);
  if (one.scores) facts.push(`scores ${one.scores.file}, sha256 ${one.scores.sha256}`);
  for (const [path, digest] of Object.entries(one.modules)) facts.push(`module ${path}, sha256 ${digest}`);
  nodes.push(made("p", "legend", facts.join(" · ")));
  if (one.reason) nodes.push(made("p", "", `failed: ${one.reason}`));
  nodes.push(...curves(one.curve));
  const parts = { Results: one.results, "What was run": one.spec, "Settings that the spec leaves open": one.effective, Data: one.dataset, Environment: one.environment };
  for (const [title, data] of Object.entries(parts)) if (data && Object.keys(data).length) nodes.push(made("h4", "", title), pairs(data));
  const button = made("button", "", "Record as JSON");
  button.onclick = () => save(`${one.name}.json`, JSON.stringify(one, null, 1), "application/json");
  nodes.push(made("p", "", button));
  return nodes;
}
const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`);
/** Nested data as (dotted name, value) lines; long lists are cut, the JSON has them whole. */
function pairs(data) {
  const list = made("dl");
  const add = (inner, prefix) => {
    for (const [key, value] of Object.entries(inner)) {
      if (value && typeof value === "object" && !Array.isArray(value) && Object.keys(value).length) add(value, `${prefix}${key}.`);
      else {
        const text = typeof value === "string" ? value : JSON.stringify(value);
        list.append(made("div", "", made("dt", "", prefix + key), made("dd", "", text.length > 400 ? `${text.slice(0, 400)} …` : text)));
      }
    }
  };
  add(data, "");
  return list;
}
/** A small plot for each number that a training curve follows. */
function curves(points) {
  const names = new Set(points.flatMap((point) => Object.keys(point)).filter((name) => !["epoch", "step", "seconds"].includes(name)));
  const drawn = [];
  for (const name of names) {
    const values = points.map((point) => point[name]).filter(Number.isFinite);
    if (values.length < 2) continue;
    const low = Math.min(...values), high = Math.max(...values), span = high - low || 1;
    const at = values.map((value, n) => `${(8 + (284 * n) / (values.length - 1)).toFixed(1)},${(62 - (52 * (value - low)) / span).toFixed(1)}`);
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), line = document.createElementNS(svg.namespaceURI, "polyline");
    const told = `${name}: ${values[0].toPrecision(4)} to ${values.at(-1).toPrecision(4)} over ${values.length} points`;
    svg.setAttribute("viewBox", "0 0 300 70");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", told);
    line.setAttribute("points", at.join(" "));
    svg.append(line);
    drawn.push(made("figure", "", made("figcaption", "", told), svg));
  }
  return drawn.length ? [made("h4", "", "Training"), ...drawn] : [];
}

// ---- addresses: #paper/table/row/column opens a cell, #name opens a record
function route() {
  const name = decodeURIComponent(location.hash.slice(1)), target = byId(name);
  if (target instanceof HTMLDetailsElement) target.open = true;
  if (target instanceof HTMLTableCellElement) showCell(target);
  else if (/^[0-9a-f]{16}-s\d+$/.test(name)) showRecord(name);
  contents.querySelectorAll("a").forEach((a) => {
    if (a.hash === `#${name.split("/").slice(0, 2).join("/")}`) a.setAttribute("aria-current", "true");
    else a.removeAttribute("aria-current");
  });
}
addEventListener("hashchange", route);
document.addEventListener("click", (event) => {
  const brief = event.target.closest("table.brief td > a, table.brief td > strong > a, table.brief td > u > a");
  const there = brief && byId(decodeURIComponent(brief.hash.slice(1)));
  if (there) {
    event.preventDefault();
    history.replaceState(null, "", brief.hash);
    showCell(there, brief);
    marked(brief.closest("td"));
    return;
  }
  const cell = event.target.closest("table.results tbody td[id]");
  if (cell && !event.target.closest("a") && !getSelection().toString()) {
    history.replaceState(null, "", `#${cell.id}`);
    showCell(cell);
  } else if (event.target.closest("a")?.hash === location.hash && location.hash) route();
});

// ---- keyboard: Escape closes; arrows walk over the cells of a table, Enter opens one; / goes to the search
addEventListener("keydown", (event) => {
  if (event.key === "Escape") hide();
  if (event.key === "/" && !event.target.closest("input, textarea")) {
    event.preventDefault();
    byId("menu").open = true;
    byId("search").focus();
  }
  const cell = event.target.closest?.("table.results td[id]");
  const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }, move = moves[event.key];
  if (cell && event.key === "Enter" && event.target === cell) cell.click();
  if (!cell || !move) return;
  const rows = [...cell.closest("table").querySelectorAll("tbody tr[id]")];
  const next = rows[rows.indexOf(cell.parentElement) + move[0]]?.cells[cell.cellIndex + move[1]];
  if (next?.id) {
    event.preventDefault();
    focusable(next).focus();
  }
});
function focusable(cell) {
  const inner = cell.querySelector("a");
  if (!inner) cell.tabIndex = -1;
  return inner ?? cell;
}

// ---- sorting: within each section of a table, up, down, and back as it was
const original = new WeakMap();
document.addEventListener("click", (event) => {
  const button = event.target.closest("thead th button");
  if (!button) return;
  const th = button.closest("th"), table = th.closest("table"), index = th.cellIndex;
  const order = { none: "descending", descending: "ascending", ascending: "none" }[th.getAttribute("aria-sort") ?? "none"];
  table.querySelectorAll("th[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
  if (order !== "none") th.setAttribute("aria-sort", order);
  for (const body of table.tBodies) {
    if (!original.has(body)) original.set(body, [...body.rows]);
    const rows = original.get(body).filter((row) => !row.classList.contains("section"));
    const sorted = order === "none" ? rows : [...rows].sort((a, b) => compare(key(a.cells[index]), key(b.cells[index]), order));
    body.append(...sorted);
  }
});
/** The number of a cell, or its text; empty and unmeasured cells stand last in both orders. */
function key(cell) {
  if (cell.classList.contains("reason")) return null;
  const text = plain(cell), number = parseFloat(text.replaceAll(",", ""));
  return Number.isNaN(number) ? text : number;
}
function compare(a, b, order) {
  if (a === null || b === null) return (a === null) - (b === null);
  const sign = order === "ascending" ? 1 : -1;
  if (typeof a === "number" && typeof b === "number") return sign * (a - b);
  return sign * String(a).localeCompare(String(b));
}

// ---- search over tables, claims, findings and records; filters of single lists
const words = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);
const fits = (text, wanted) => wanted.every((word) => text.includes(word));
/** Words that a question has and no text needs. */
const IDLE = new Set("a an and are as at be by do does for from how in is it its of on or so than that the to was what when which why with".split(" "));
const asked = (query) => { const all = words(query.replace(/[?!,;:]/g, " ")), told = all.filter((word) => !IDLE.has(word)); return told.length ? told : all; };
/** The texts of several elements, apart from each other. */
const apart = (elements) => [...elements].map(plain).filter(Boolean).join(" · ");
let places = null;
/** Every number that says something of a printed one: what it is, what is printed, and why it differs. */
function judged(verdicts) {
  const found = [];
  for (const [id, full] of Object.entries(verdicts)) {
    const cell = byId(id);
    if (!cell) continue;
    const told = full.replace(/^differs: .*? printed: \S+; /, ""); // the arithmetic stands in the panel
    found.push([`#${id}`, `${plain(cell.parentElement.cells[0])}, ${plain(heading(cell).title)}: ${plain(cell)}; ${told}`, id.split("/").slice(0, 2).join("/"), full]);
  }
  const rank = ([, , , full]) => (full.startsWith("differs") ? 0 : 1);
  return found.sort((a, b) => rank(a) - rank(b));
}
function collected(verdicts) {
  const rows = [...document.querySelectorAll("table.results tbody tr[id]")].map((row) => [`#${row.id}`, plain(row.cells[0]), row.closest("table").dataset.table ?? ""]);
  const tables = [...document.querySelectorAll("section.table")].map((one) => [`#${one.id}`, one.querySelector("h2").textContent, one.id]);
  const said = [...document.querySelectorAll("section.table ul.verdicts li")].map((one) => { const { id } = one.closest("section.table"); return [`#${id}`, plain(one), id]; });
  const claims = [...document.querySelectorAll(".claim")].map((one) => [`#${one.id}`, plain(one.querySelector("summary")), "claim"]);
  const found = [...document.querySelectorAll("#findings tbody tr")].map((one) => [`#${one.id}`, apart(one.cells), "check finding"]);
  return [...tables, ...rows, ...judged(verdicts), ...said, ...claims, ...found].map(([href, text, where, more = ""]) => ({ href, text, where, all: `${text} ${where} ${more} ${href}`.toLowerCase() }));
}
async function search(query) {
  const hits = byId("hits"), wanted = asked(query);
  hits.hidden = !wanted.length;
  if (!wanted.length) return;
  places ??= collected(byId("pack-index") ? (await unpack("pack-index")).verdicts : {});
  const found = places.filter((one) => fits(one.all, wanted));
  if (byId("pack-index")) {
    for (const line of (await unpack("pack-index")).records) {
      if (fits(line.slice(0, 7).join(" ").toLowerCase(), wanted)) found.push({ href: `#${line[0]}`, text: `${line[2]} ${line[3]}, seed ${line[4]}: ${line[6]}`, where: `record, ${line[1]}` });
    }
  }
  const items = found.slice(0, 40).map((one) => {
    const a = made("a", "", one.text.length > 160 ? `${one.text.slice(0, 160)} …` : one.text);
    a.href = one.href;
    return made("div", "", a, made("small", "", one.where));
  });
  hits.replaceChildren(made("small", "", `${found.length} found${found.length > 40 ? ", the first 40 shown" : ""}`), ...items);
}
byId("search").oninput = (event) => search(event.target.value);
document.querySelectorAll("input[data-filter]").forEach((input) => {
  input.oninput = () => {
    const wanted = words(input.value);
    document.querySelectorAll(input.dataset.filter).forEach((one) => { one.hidden = !fits(one.textContent.toLowerCase(), wanted); });
  };
});

// ---- the list of records, a hundred at a time
const filter = byId("record-filter"), list = byId("record-list"), more = byId("record-more");
async function listRecords(from = 0) {
  const { records } = await unpack("pack-index"), wanted = words(filter.value);
  const found = records.filter((line) => fits(line.join(" ").toLowerCase(), wanted)), body = list.tBodies[0];
  if (!from) body.replaceChildren();
  for (const [name, table, row, cell, seed, status, headline, finished] of found.slice(from, from + 100)) {
    const a = made("a", "", name), th = made("th", "", a);
    a.href = `#${name}`;
    th.scope = "row";
    body.append(made("tr", status, th, ...[table, row, cell, seed, headline, finished].map((text) => made("td", "", String(text)))));
  }
  list.hidden = false;
  more.hidden = found.length <= from + 100;
  more.onclick = () => listRecords(from + 100);
  byId("record-count").textContent = `${found.length} of ${records.length}`;
}
if (filter) {
  filter.oninput = () => listRecords();
  new IntersectionObserver((seen, watch) => { if (seen.some((one) => one.isIntersecting)) { watch.disconnect(); listRecords(); } }).observe(byId("records"));
}

// ---- folds: what they hold is text until they are opened
function unfold(details) {
  const text = details.querySelector(":scope > script");
  if (!text) return;
  const template = made("template");
  template.innerHTML = text.textContent;
  text.replaceWith(template.content);
}
document.addEventListener("toggle", (event) => { if (event.target.open) unfold(event.target); }, true);

// ---- files
function save(name, text, type = "text/plain") {
  const a = made("a");
  a.href = URL.createObjectURL(new Blob([text], { type }));
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 1000);
}
document.addEventListener("click", async (event) => {
  const { file, table } = event.target.dataset ?? {};
  if (file) save(`${table.replace("/", "-")}.${file}`, (await unpack(`pack-files-${table}`))[file]);
});
if (matchMedia("(max-width: 63.99rem)").matches) byId("menu").open = false;
route();
