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
  const chart = figure.querySelector("svg.chart");
  for (const button of buttons) {
    button.addEventListener("click", () => {
      const alone = button.getAttribute("aria-pressed") !== "true";
      for (const other of buttons) {
        other.setAttribute("aria-pressed", String(alone && other === button));
      }
      figure.classList.toggle("alone", alone);
      const own = "s" + button.dataset.series;
      for (const mark of chart.querySelectorAll(".line, .mark, .band")) {
        mark.classList.toggle("dim", alone && !mark.classList.contains(own));
      }
    });
  }
}
