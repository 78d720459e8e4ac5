const page = JSON.parse(document.getElementById("contents").textContent);
const make = (tag, attributes, text = "") =>
  Object.assign(document.createElement(tag), attributes, { textContent: text });

// Numbers with their units, as the tables have them.
const units = { Bytes: "bytes", Seconds: "s", Percent: "%" };
const show = (value, unit) => {
  if (value === null || value === undefined) return "–";
  const short = (v) => String(+v.toPrecision(4));
  if (unit === "Percent") return short(value) + " %";
  if (unit === "Seconds") {
    if (value >= 1) return short(value) + " s";
    return value >= 1e-3 ? short(value * 1e3) + " ms" : short(value * 1e6) + " µs";
  }
  if (unit === "Bytes" && value >= 1024) {
    const k = Math.min(4, Math.floor(Math.log2(value) / 10));
    return (value / 1024 ** k).toFixed(1) + " " + ["", "KiB", "MiB", "GiB", "TiB"][k] + " (" + value + " B)";
  }
  if (unit === "Bytes") return value + " B";
  return Number.isInteger(value) && Math.abs(value) < 1e9 ? String(value) : short(value);
};

// Sorting: a click on a header sorts by it, a second one backwards, a third restores the order.
for (const table of document.querySelectorAll("table.data")) {
  const body = table.tBodies[0];
  const original = [...body.rows];
  const collator = new Intl.Collator(undefined, { numeric: true });
  const headers = [...table.tHead.rows[0].cells];

  // Numbers come before text, and empty cells last, whichever the direction.
  const compare = (a, b, sign) => {
    const [x, y] = [a.dataset.sort, b.dataset.sort];
    if (x !== undefined && y !== undefined) return sign * (Number(x) - Number(y) || 0);
    if (x !== undefined) return -1;
    if (y !== undefined) return 1;
    const [s, t] = [a.textContent.trim(), b.textContent.trim()];
    if (!s || !t) return (s ? 0 : 1) - (t ? 0 : 1);
    return sign * collator.compare(s, t);
  };

  headers.forEach((header, column) => {
    header.querySelector("button").addEventListener("click", () => {
      const next = { ascending: "descending", descending: null }[header.ariaSort];
      const order = next === undefined ? "ascending" : next;
      for (const other of headers) other.removeAttribute("aria-sort");
      let rows = original;
      if (order) {
        header.setAttribute("aria-sort", order);
        const sign = order === "ascending" ? 1 : -1;
        rows = [...original].sort((a, b) => compare(a.cells[column], b.cells[column], sign));
      }
      body.append(...rows);
    });
  });
}

// Legends: a click on a series dims the others, a second one brings them back.
for (const figure of document.querySelectorAll("figure.plot")) {
  const buttons = [...figure.querySelectorAll(".legend button")];
  for (const button of buttons) {
    button.addEventListener("click", () => {
      const alone = button.getAttribute("aria-pressed") !== "true";
      for (const other of buttons) {
        other.setAttribute("aria-pressed", String(alone && other === button));
      }
      figure.classList.toggle("alone", alone);
      const own = "s" + button.dataset.series;
      for (const mark of figure.querySelectorAll(".chart :is(.line, .mark, .band, .bar)")) {
        mark.classList.toggle("dim", alone && !mark.classList.contains(own));
      }
    });
  }
}
