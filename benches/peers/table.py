"""Rows as a table and as JSON, and the geometric means of their ratios."""

import json
import statistics

FORMATS = {"_s": "{:.2e}", "ratio_": "{:.2f}", "ours/limit": "{:.2f}", "spread": "{:.0%}"}


def columns(peers):
    """What stands in the columns of a section: a title, and a function of the row."""
    yield "workload", lambda row: row.task
    yield "dtype", lambda row: row.dtype
    yield "threads", lambda row: row.threads
    for name in ("ours", *peers):
        yield f"{name}_s", lambda row, name=name: row.seconds(name)
    for peer in peers:
        yield f"ratio_{peer}", lambda row, peer=peer: row.ratio(peer)
    yield "limit_s", lambda row: row.limit
    yield "ours/limit", lambda row: row.over_limit()
    yield "spread", lambda row: row.spread()
    yield "check_difference", lambda row: row.check


def text(title, value):
    if value is None:
        return "-"
    kinds = [form for part, form in FORMATS.items() if part in title]
    if title == "check_difference":
        kinds = ["{:.1e}"]
    return (kinds[0] if kinds else "{}").format(value)


def aligned(titles, texts):
    """A line of the table: the first two columns to the left."""
    widths = [28 if k == 0 else max(len(t), 8) for k, t in enumerate(titles)]
    cells = [t.ljust(w) if k < 2 else t.rjust(w) for k, (t, w) in enumerate(zip(texts, widths))]
    return " ".join(cells).rstrip()


def header(peers):
    titles = [title for title, _ in columns(peers)]
    return aligned(titles, titles)


def line(row):
    listed = list(columns(row.peers))
    titles = [title for title, _ in listed]
    return aligned(titles, [text(title, value(row)) for title, value in listed])


def record(row, every_peer, machine):
    """The columns of all peers, spreads and first calls, which compile; and the machine's rates."""
    values = {title.replace("/", "_over_"): value(row) for title, value in columns(every_peer)}
    for name in ("ours", *every_peer):
        values[f"{name}_first_call_s"] = row.first.get(name)
    values["rounds"] = len(row.times["ours"])
    values["tolerance"] = row.tolerance()
    values["vectors"] = machine.set
    if row.cost is not None:
        values["bandwidth"], values["bandwidth_by"] = machine.bandwidth(row.cost["resident"])
        values["peak"], values["peak_by"] = machine.peak
    return json.dumps(values)


def mean_lines(rows):
    """For each precision, number of threads and set of peers: the means, and of which rows."""
    sections = {}
    for row in rows:
        for peer in row.peers:
            if row.ratio(peer) is not None:
                key = (row.dtype, row.threads, tuple(row.peers), peer)
                sections.setdefault(key, []).append(row)
    for (dtype, threads, _, peer), section in sections.items():
        mean = statistics.geometric_mean(row.ratio(peer) for row in section)
        plural = "" if threads == 1 else "s"
        of = f"{len(section)} rows: " + " ".join(row.task for row in section)
        yield f"geometric mean of ratio_{peer}, {dtype}, {threads} thread{plural}: {mean:.2f}, {of}"
