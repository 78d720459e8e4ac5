#!/usr/bin/env python3
"""The tables of the guide's page `measuring`, of what compare.py --json printed.

    python3 benches/peers/guide.py FILE...

Prints Markdown: operations, whole calls, iterations, and what else there is; then, on standard error,
which rows are behind a peer, and how far each is from the limit.
"""

import json
import statistics
import sys

CELLS = [("f64", 1), ("f64", 2), ("f32", 1), ("f32", 2)]
SECTIONS = [
    ("W", ["jax", "torch"]),
    ("aid", ["jax", "jaxopt", "optimistix", "torchopt"]),
    ("itd", ["jax", "jaxopt", "optimistix", "torchopt", "higher"]),
    ("iteration", ["jax"]),
    ("dense", ["numpy"]),
]
TITLES = {"jax": "JAX", "torch": "PyTorch", "jaxopt": "JAXopt", "optimistix": "Optimistix"}
TITLES.update(torchopt="TorchOpt", higher="higher", numpy="NumPy")


def duration(seconds):
    if seconds is None:
        return "–"
    for unit, scale in (("s", 1), ("ms", 1e3), ("µs", 1e6), ("ns", 1e9)):
        if seconds * scale >= 1:
            return f"{float(f'{seconds * scale:.3g}'):g} {unit}"
    return f"{seconds:.1e} s"


def ratio(value):
    return "–" if value is None else f"{value:.2f}"


class Rows:
    """Rows by workload, precision and number of threads."""

    def __init__(self, rows):
        self.by = {(r["workload"], r["dtype"], r["threads"]): r for r in rows}
        self.names = list(dict.fromkeys(r["workload"] for r in rows))

    def get(self, name, cell, key):
        return self.by.get((name, *cell), {}).get(key)

    def of(self, prefix):
        return [name for name in self.names if name.startswith(prefix)]

    def cells(self, names):
        return [cell for cell in CELLS if any((name, *cell) in self.by for name in names)]

    def mean(self, names, cell, peer):
        found = [self.get(name, cell, f"ratio_{peer}") for name in names]
        found = [value for value in found if value is not None]
        return statistics.geometric_mean(found) if found else None


def lines(rows, names, peers):
    """A table: our time and the ratios in each precision and number of threads."""
    cells, first = rows.cells(names), ("f64", 1)
    limits = any(rows.get(name, first, "limit_s") for name in names)
    columns = ["workload", "ours"] + (["ours / limit"] if limits else [])
    beside = ", ".join(TITLES[peer] for peer in peers)
    for dtype, threads in cells:
        columns.append(f"{beside}: `{dtype}`, {threads} thread{'' if threads == 1 else 's'}")
    yield "| " + " | ".join(columns + ["difference"]) + " |"
    yield "|" + "---|" * (len(columns) + 1)
    for name in names:
        texts = [name, duration(rows.get(name, first, "ours_s"))]
        texts += [ratio(rows.get(name, first, "ours_over_limit"))] if limits else []
        for cell in cells:
            texts.append(", ".join(ratio(rows.get(name, cell, f"ratio_{peer}")) for peer in peers))
        apart = [rows.get(name, cell, "check_difference") for cell in cells if cell[0] == "f64"]
        apart = [value for value in apart if value is not None]
        yield "| " + " | ".join(texts + [f"{max(apart):.0e}" if apart else "–"]) + " |"
    texts = [f"geometric mean of {len(names)}", ""] + ([""] if limits else [])
    for cell in cells:
        texts.append(", ".join(ratio(rows.mean(names, cell, peer)) for peer in peers))
    yield "| " + " | ".join(texts + [""]) + " |"


def behind(rows, names, peers):
    """For each precision and number of threads, the rows where a peer is faster."""
    for cell in rows.cells(names):
        for peer in peers:
            found = [(name, rows.get(name, cell, f"ratio_{peer}")) for name in names]
            slow = [f"{name} {value:.2f}" for name, value in found if value and value < 1.0]
            if slow:
                yield f"behind {peer}, {cell}: {', '.join(slow)}"


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: guide.py FILE..., what compare.py --json printed")
    rows = []
    for path in sys.argv[1:]:
        with open(path) as file:
            rows += [json.loads(line) for line in file]
    sets = sorted({row.get("vectors", "of no stated set") for row in rows})
    if len(sets) > 1:
        sys.exit(f"guide.py: records of vectors {' and '.join(sets)}: expected one table for each")
    rows = Rows(rows)
    for prefix, peers in SECTIONS:
        names = rows.of(prefix)
        if not names:
            continue
        print("\n".join(lines(rows, names, peers)), end="\n\n")
        print("\n".join(behind(rows, names, peers)), file=sys.stderr)


if __name__ == "__main__":
    main()
