// Values: of the point next to the pointer or under a finger, and by the arrow keys.
const plots = page.sections.flatMap((section) => section.plots);
document.querySelectorAll("figure.plot").forEach((figure, k) => {
  const plot = plots[k];
  const value = make("p", { className: "value-at", hidden: true });
  value.setAttribute("role", "status");
  figure.append(value);

  figure.querySelectorAll("svg.chart").forEach((chart, choice) => {
    if (!chart.dataset.x) return;
    const across = choice ? plot.across[choice - 1]
      : { label: plot.x_label, log: plot.x_log, unit: plot.x_unit };
    const numbers = (text) => (text || "").split(" ").map(Number);
    const [xs, ys, aside] = ["x", "y", "aside"].map((name) => numbers(chart.dataset[name]));
    const place = (v, log, [low, high, from, to]) => {
      const zero = log && v === 0 && chart.dataset.zero;
      if (v === null || v === undefined || (log && v <= 0 && !zero)) return null;
      const at = zero ? Number(zero) : log ? Math.log10(v) : v;
      return from + ((at - low) / (high - low)) * (to - from);
    };
    const points = plot.series.flatMap((series, s) => series.points.map(([first, y], i) => {
      const x = choice ? series.across[choice - 1]?.[i] : first;
      const [left, top] = [place(x, across.log, xs), place(y, plot.y_log, ys)];
      return { s, i, x, y, left: left === null ? null : left + (aside[s] || 0), top };
    })).filter((p) => p.left !== null && p.top !== null);
    const shown = (p) => !figure.classList.contains("alone")
      || figure.querySelectorAll(".legend button")[p.s].getAttribute("aria-pressed") === "true";

    const ring = document.createElementNS(chart.namespaceURI, "circle");
    ring.setAttribute("class", "here");
    ring.setAttribute("r", 75);
    let at = null;
    const hide = () => {
      at = null;
      ring.remove();
      value.hidden = true;
    };
    const tell = (p) => {
      at = p;
      ring.setAttribute("cx", p.left);
      ring.setAttribute("cy", p.top);
      chart.append(ring);
      const series = plot.series[p.s];
      const range = series.spread[p.i];
      const lines = [
        [plot.y_label, show(p.y, plot.y_unit)],
        [across.label, show(p.x, across.unit)],
      ];
      if (range) lines.splice(1, 0, ["range", range.map((v) => show(v, plot.y_unit)).join(" … ")]);
      value.replaceChildren(make("b", {}, series.name));
      for (const [label, text] of lines) value.append(" ", make("span", {}, label + ": " + text));
      value.hidden = false;
      const [box, frame] = [chart.getBoundingClientRect(), figure.getBoundingClientRect()];
      const scale = box.width / chart.viewBox.baseVal.width;
      const left = box.left - frame.left + p.left * scale - value.offsetWidth / 2;
      value.style.left = Math.max(0, Math.min(left, frame.width - value.offsetWidth)) + "px";
      const over = box.top - frame.top + p.top * scale - value.offsetHeight - 12;
      value.style.top = (over < 0 ? over + value.offsetHeight + 24 : over) + "px";
    };
    const near = (event) => {
      const box = chart.getBoundingClientRect();
      const scale = chart.viewBox.baseVal.width / box.width;
      const [x, y] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
      const far = (p) => Math.hypot(p.left - x, p.top - y);
      const best = points.filter(shown).reduce((a, b) => (a && far(a) <= far(b) ? a : b), null);
      if (best && far(best) / scale < 45) tell(best);
      else hide();
    };
    chart.addEventListener("pointermove", near);
    chart.addEventListener("pointerdown", near);
    chart.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hide());
    chart.addEventListener("blur", hide);

    chart.setAttribute("tabindex", "0");
    chart.setAttribute("aria-description", "Arrow keys tell the values.");
    chart.addEventListener("keydown", (event) => {
      const all = points.filter(shown);
      if (event.key === "Escape") return hide();
      const key = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (!key || !all.length) return;
      event.preventDefault();
      if (!at) return tell(all[0]);
      if (key[1]) {
        const own = all.filter((p) => p.s === at.s);
        return tell(own[own.indexOf(at) + key[1]] || at);
      }
      const series = [...new Set(all.map((p) => p.s))];
      const next = series[(series.indexOf(at.s) + key[0] + series.length) % series.length];
      const gap = (p) => Math.abs(p.left - at.left);
      tell(all.filter((p) => p.s === next).reduce((a, b) => (gap(a) <= gap(b) ? a : b)));
    });
  });
});
