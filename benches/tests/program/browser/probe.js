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
  const overlap = (a, b) => {
    const [p, q] = [a.getBoundingClientRect(), b.getBoundingClientRect()];
    const near = 1;
    return p.left < q.right - near && q.left < p.right - near
      && p.top < q.bottom - near && q.top < p.bottom - near;
  };
  // Contrast of two colours, by the rule of WCAG.
  const light = (colour) => {
    const parts = colour.match(/[\d.]+/g).slice(0, 3).map((v) => v / 255);
    const [r, g, b] = parts.map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = light(getComputedStyle(document.body).backgroundColor);
  const contrast = (colour) => {
    const own = light(colour);
    return (Math.max(own, paper) + 0.05) / (Math.min(own, paper) + 0.05);
  };
  const decoded = (link) => decodeURIComponent(link.href.slice(link.href.indexOf(",") + 1));
  // The downloads of a figure: rows of the CSV, of the JSON, and whether every link has its data.
  const downloads = (figure) => {
    const links = [...figure.querySelectorAll(".save a")];
    const [csv, json] = links.map(decoded);
    return {
      inside: links.length === 2 && links.every((a) => a.href.startsWith("data:") && a.download),
      csv: csv ? csv.trimEnd().split("\n").length - 1 : 0,
      json: json ? JSON.parse(json).length : 0,
      head: csv ? csv.split("\n")[0] : "",
    };
  };
  const contents = JSON.parse(document.getElementById("contents")?.textContent || '{"sections":[]}');
  const drawn = contents.sections.flatMap((s) => s.plots);
  // What a pointer, a finger and the keys are told of a chart.
  const told = (figure, chart) => {
    const value = figure.querySelector(".value-at");
    if (!value) return null;
    const mark = [...chart.querySelectorAll(".mark")].filter(seen)[0];
    const box = mark.getBoundingClientRect();
    const at = {
      clientX: box.left + box.width / 2,
      clientY: box.top + box.height / 2,
      bubbles: true,
    };
    const text = () => (value.hidden ? "" : value.textContent);
    const send = (type, more) => {
      chart.dispatchEvent(new PointerEvent(type, { ...at, ...more }));
      return text();
    };
    const key = (name) => {
      chart.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
      return text();
    };
    const mouse = send("pointermove", { pointerType: "mouse" });
    const inner = value.getBoundingClientRect();
    const fits = inner.left >= -1 && inner.right <= innerWidth + 1;
    const left = send("pointerleave", { pointerType: "mouse" });
    const touch = send("pointerdown", { pointerType: "touch" });
    const stays = send("pointerleave", { pointerType: "touch" });
    key("Escape");
    chart.focus();
    const focused = document.activeElement === chart;
    const keys = ["ArrowRight", "ArrowRight", "ArrowDown", "Escape"].map(key);
    chart.blur();
    return { mouse, fits, left, touch, stays, focused, keys };
  };
  const choices = [...document.querySelectorAll("fieldset.across")].map((set) => {
    const plots = set.closest(".plots");
    const inputs = [...set.querySelectorAll("input")];
    const shown = () => [...plots.querySelectorAll("svg.chart")].filter(seen);
    const labels = inputs.map((input) => {
      input.focus();
      input.click();
      const charts = shown();
      return {
        focused: document.activeElement === input,
        charts: charts.length,
        of: plots.querySelectorAll("figure.plot").length,
        named: charts.every((c) => c.getAttribute("aria-label").includes(
          input.parentElement.textContent.trim())),
      };
    });
    inputs[0].click();
    return labels;
  });
  const plots = [...document.querySelectorAll("figure.plot")].map((figure, k) => {
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
    const looks = buttons.map((_, i) => {
      const own = [...figure.querySelectorAll(`.chart .s${i}.mark`)][0];
      if (!own) return null;
      const style = getComputedStyle(own);
      const swatch = buttons[i].querySelectorAll(".mark");
      return {
        colour: own.classList.contains("fill") ? style.fill : style.stroke,
        shape: [...swatch].map((m) => m.tagName + (m.getAttribute("points") || m.getAttribute("r"))
          + m.classList.contains("fill")).join(),
      };
    }).filter(Boolean);
    return {
      colours: new Set(looks.map((l) => l.colour)).size,
      shapes: new Set(looks.map((l) => l.shape)).size,
      looks: looks.length,
      faint: looks.filter((l) => contrast(l.colour) < 3).map((l) => l.colour),
      overlaps: texts.flatMap((a, i) => texts.slice(i + 1).filter((b) => overlap(a, b))
        .map((b) => a.textContent.trim() + " / " + b.textContent.trim())),
      points: (drawn[k]?.series || []).reduce((sum, s) => sum + s.points.length, 0),
      names: (drawn[k]?.series || []).map((s) => s.name),
      downloads: downloads(figure),
      told: told(figure, chart),
      notes: [...figure.querySelectorAll(".note")].map((n) => n.textContent),
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
    const scroll = table.closest(".scroll");
    return {
      hidden: scroll ? scroll.scrollWidth - scroll.clientWidth : 0,
      downloads: downloads(table.closest("figure") || table),
      rows: before.length,
      sorts: up[1] === "ascending" && down[1] === "descending" && kept(up[0]) && kept(down[0]),
      turns: up[0].join("\n") !== down[0].join("\n"),
      restores: rows().join("\n") === before.join("\n"),
    };
  });
  const words = [...document.querySelectorAll("p, li, dt, dd, td, th, figcaption, label, text")];
  const found = {
    errors,
    choices,
    facts: [...document.querySelectorAll(".facts dt")].map((t) => t.textContent),
    all: [...document.querySelectorAll("main > .save a")].map((a) => JSON.parse(decoded(a)).title),
    faint: [...new Set(words.filter(seen).map((e) => getComputedStyle(e))
      .map((s) => s.fill !== "rgb(0, 0, 0)" && s.fill !== "none" ? s.fill : s.color))]
      .filter((colour) => contrast(colour) < 4.5),
    plots,
    tables,
    wide: document.documentElement.scrollWidth,
    window: innerWidth,
    background: getComputedStyle(document.body).backgroundColor,
    colour: getComputedStyle(document.body).color,
  };
  parent.postMessage(JSON.stringify(found), "*");
});
