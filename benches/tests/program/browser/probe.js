// What a reader would notice, as one line of JSON to the page around this one.
const errors = [];
addEventListener("error", (event) => errors.push(String(event.message)));
addEventListener("unhandledrejection", (event) => errors.push(String(event.reason)));
addEventListener("securitypolicyviolation", (event) => errors.push("blocked " + event.blockedURI));
addEventListener("load", () => {
  const seen = (element) => {
    const box = element.getBoundingClientRect();
    return box.width + box.height > 0;
  };
  const inside = (text, frame) => {
    const [a, b] = [text.getBoundingClientRect(), frame.getBoundingClientRect()];
    const near = 1.5;
    return a.left >= b.left - near && a.right <= b.right + near
      && a.top >= b.top - near && a.bottom <= b.bottom + near;
  };
  const plots = [...document.querySelectorAll("figure.plot")].map((figure) => {
    const chart = figure.querySelector("svg.chart");
    const buttons = [...figure.querySelectorAll(".legend button")];
    const marks = [...chart.querySelectorAll(".line, .mark")].filter(seen);
    const texts = [...chart.querySelectorAll("text")];
    let dimmed = true;
    if (buttons.length > 1) {
      buttons[0].click();
      dimmed = chart.querySelectorAll(".dim").length > 0;
      buttons[0].click();
      dimmed = dimmed && chart.querySelectorAll(".dim").length === 0;
    }
    return {
      title: figure.querySelector("figcaption").textContent,
      series: buttons.length,
      empty: buttons.filter((b) => b.textContent.includes("(no data)")).length,
      drawn: new Set(marks.flatMap((m) => [...m.classList]).filter((c) => /^s\d+$/.test(c))).size,
      texts: texts.length,
      outside: texts.filter((t) => !inside(t, chart)).map((t) => t.textContent),
      dimmed,
    };
  });
  const tables = [...document.querySelectorAll("table.data")].map((table) => {
    const rows = () => [...table.tBodies[0].rows].map((row) => row.textContent);
    const before = rows();
    const header = table.tHead.rows[0].cells[0];
    const button = header.querySelector("button");
    button.click();
    const up = [rows(), header.ariaSort];
    button.click();
    const down = [rows(), header.ariaSort];
    button.click();
    const kept = (order) => [...order].sort().join("\n") === [...before].sort().join("\n");
    return {
      rows: before.length,
      sorts: up[1] === "ascending" && down[1] === "descending" && kept(up[0]) && kept(down[0]),
      turns: up[0].join("\n") !== down[0].join("\n"),
      restores: rows().join("\n") === before.join("\n"),
    };
  });
  const found = {
    errors,
    plots,
    tables,
    wide: document.documentElement.scrollWidth,
    window: innerWidth,
    background: getComputedStyle(document.body).backgroundColor,
    colour: getComputedStyle(document.body).color,
  };
  parent.postMessage(JSON.stringify(found), "*");
});
