// Downloads: the numbers of a figure as CSV and JSON, in the link itself.
const csv = (rows) => rows.map((row) => row.map((cell) => {
  const text = cell === null || cell === undefined ? "" : String(cell);
  return /[",\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
}).join(",")).join("\n") + "\n";
const named = (label, unit) => (units[unit] ? label + " (" + units[unit] + ")" : label);
const of_table = (table) => {
  const more = table.columns.map((_, i) =>
    (table.rows.map((row) => row[i]?.more || []).find((m) => m.length) || []).map(([name]) => name));
  const head = table.columns.flatMap((name, i) => {
    const title = named(name, table.units?.[i]);
    return [title, ...more[i].map((other) => title + " " + other)];
  });
  const cells = (row) => table.columns.flatMap((_, i) => {
    const cell = row[i] || {};
    return [cell.sort ?? cell.text, ...more[i].map((_, j) => cell.more?.[j]?.[1])];
  });
  return [head, ...table.rows.map(cells)];
};
const of_plot = (plot) => {
  const spread = plot.series.some((series) => series.spread.length);
  const head = ["series", named(plot.x_label, plot.x_unit), ...(plot.across || []).map((a) => named(a.label, a.unit)),
    named(plot.y_label, plot.y_unit), ...(spread ? ["low", "high"] : [])];
  const rows = plot.series.flatMap((series) => series.points.map(([x, y], i) => [series.name, x,
    ...(plot.across || []).map((_, j) => series.across[j]?.[i]), y, ...(spread ? series.spread[i] || ["", ""] : [])]));
  return [head, ...rows];
};
const slug = (text) => text.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 60);
const link = (text, name, type, data) => make("a", {
  href: "data:" + type + ";charset=utf-8," + encodeURIComponent(data),
  download: slug(page.title) + (name ? "-" + slug(name) : "") + "." + text.toLowerCase(),
}, text);
const save = (figure, name, rows) => {
  const objects = rows.slice(1).map((row) => Object.fromEntries(rows[0].map((key, i) => [key, row[i] ?? null])));
  const line = make("p", { className: "save" }, "Numbers: ");
  line.append(link("CSV", name, "text/csv", csv(rows)), " ",
    link("JSON", name, "application/json", JSON.stringify(objects, null, 1)));
  figure.append(line);
};
const tables = page.sections.flatMap((section) => section.tables);
document.querySelectorAll("figure.table").forEach((f, i) => save(f, tables[i].caption, of_table(tables[i])));
document.querySelectorAll("figure.plot").forEach((f, i) => save(f, plots[i].title, of_plot(plots[i])));
const all = make("p", { className: "save" }, "All numbers of this page: ");
all.append(link("JSON", "", "application/json", JSON.stringify(page, null, 1)));
document.querySelector("main").append(all);
