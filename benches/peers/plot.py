"""Bytes and seconds against depth as one SVG: a column for each problem, both axes logarithmic."""

import math
from html import escape

WIDTH, HEIGHT, LEFT, TOP, GAP = 360, 250, 70, 40, 90
LEGEND = 180
# Ours in full lines, JAX's dashed, PyTorch's dotted.
DASHES = {"ours": "", "jax": "7 4", "torch": "2 3"}
COLOURS = ["#1b6ca8", "#c8553d", "#2a7f62", "#7d4e9f", "#b7791f", "#444444"]


def lines(rows, problem, measure):
    """For each system and policy the points that were measured."""
    found = {}
    for row in rows:
        if row["problem"] == problem and row[measure] and row["status"] == "run":
            key = (row["system"], row["policy"])
            found.setdefault(key, []).append((row["depth"], row[measure]))
    return found


def decades(values):
    """The powers of ten around all values."""
    low = math.floor(math.log10(min(values)))
    return low, max(math.ceil(math.log10(max(values))), low + 1)


def label(power, measure):
    """10^power in words where they are short."""
    if measure == "bytes":
        return f"{10 ** (power % 3)} {['B', 'KB', 'MB', 'GB', 'TB'][power // 3]}"
    unit, power = ("s", power) if power >= 0 else (("ms", power + 3) if power >= -3 else ("µs", power + 6))
    return f"{10**power:g} {unit}"


class Panel:
    """One diagram with its corner at (x, y)."""

    def __init__(self, x, y, found, measure):
        self.x, self.y, self.measure, self.found = x, y, measure, found
        points = [point for line in found.values() for point in line]
        self.across, self.up = (decades([p[k] for p in points]) for k in (0, 1))

    def place(self, depth, value):
        share = lambda v, ends: (math.log10(v) - ends[0]) / (ends[1] - ends[0])
        right, high = share(depth, self.across), share(value, self.up)
        return self.x + right * WIDTH, self.y + (1 - high) * HEIGHT

    def drawn(self, styles):
        yield f'<rect x="{self.x}" y="{self.y}" width="{WIDTH}" height="{HEIGHT}" class="frame"/>'
        for power in range(self.up[0], self.up[1] + 1):
            _, y = self.place(10 ** self.across[0], 10.0**power)
            yield f'<line x1="{self.x}" x2="{self.x + WIDTH}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>'
            words = label(power, self.measure)
            yield f'<text x="{self.x - 6}" y="{y + 4:.1f}" class="end">{words}</text>'
        for power in range(self.across[0], self.across[1] + 1):
            x, _ = self.place(10**power, 10.0 ** self.up[0])
            yield f'<text x="{x:.1f}" y="{self.y + HEIGHT + 16}" class="middle">{10**power}</text>'
        for key, line in self.found.items():
            places = [self.place(*point) for point in sorted(line)]
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            yield f'<polyline points="{path}" {styles[key]}/>'


def page(rows):
    """The whole picture."""
    problems = list(dict.fromkeys(row["problem"] for row in rows))
    keys = list(dict.fromkeys((row["system"], row["policy"]) for row in rows))
    styles, counts = {}, {}
    for system, policy in keys:
        colour = COLOURS[counts.setdefault(system, 0) % len(COLOURS)]
        counts[system] += 1
        styles[system, policy] = f'stroke="{colour}" stroke-dasharray="{DASHES.get(system, "")}"'
    width = len(problems) * (WIDTH + GAP) + LEGEND
    height = TOP + 2 * (HEIGHT + GAP)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">',
        "<style>text{font:12px sans-serif}.end{text-anchor:end}.middle{text-anchor:middle}"
        ".frame{fill:none;stroke:#888}.grid{stroke:#ddd}polyline,.key{fill:none;stroke-width:1.6}"
        "</style>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for column, problem in enumerate(problems):
        for down, measure in enumerate(("bytes", "seconds")):
            found = lines(rows, problem, measure)
            if not found:
                continue
            x, y = LEFT + column * (WIDTH + GAP), TOP + down * (HEIGHT + GAP - 20)
            title = escape(f"{problem}: {measure} against depth")
            out.append(f'<text x="{x + WIDTH / 2}" y="{y - 10}" class="middle">{title}</text>')
            out += Panel(x, y, found, measure).drawn(styles)
    for place, key in enumerate(keys):
        x, y = width - LEGEND + 10, TOP + 10 + 18 * place
        out.append(f'<line x1="{x}" x2="{x + 34}" y1="{y}" y2="{y}" class="key" {styles[key]}/>')
        out.append(f'<text x="{x + 42}" y="{y + 4}">{escape(" ".join(key))}</text>')
    return "\n".join([*out, "</svg>", ""])
