#!/usr/bin/env python3
"""Times this project beside JAX and PyTorch on the same inputs, and compares the results.

    python3 benches/peers/compare.py [--quick] [--json] [--threads 1,2] [--dtypes f64,f32] [--only W1,...]

Needs cargo and this Python (3.9 or later, its standard library); the peers that it can import are
timed. For each precision and number of threads there is one process of ours and one of each peer,
on the same cores. They take turns, one measuring at a time, in several rounds; a time is the median
of the rounds. Compilation, and the linearisation of the linearised products, are not in it.

A ratio is a peer's time over ours: above 1 we are faster. `check_difference` is the largest
relative difference between our result and a peer's, in the Euclidean norm of each part of the
result. Exit codes: 0 done, 1 a difference above the tolerance (1e-8 in f64, 1e-3 in f32) or a
worker of ours that failed, 2 bad usage.
"""

import argparse
import array
import contextlib
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile

import workers
from workers import PEERS, Failed

COLUMNS = "workload dtype threads ours_s jax_s torch_s ratio_jax ratio_torch check_difference".split()
WIDTHS = (22, 5, 7, 9, 9, 9, 9, 11, 16)
TOLERANCES = {"f64": 1e-8, "f32": 1e-3}
# Stands for a difference that is no number, which JSON cannot say.
LARGEST = sys.float_info.max
# What --quick leaves out.
LARGE = ("W1-big", "W4-W1-K1000", "W4-softmax-K1000")


def names(choices):
    """A parser of lists of these names."""

    def parse(text):
        chosen = text.split(",")
        for name in chosen:
            if name not in choices:
                raise argparse.ArgumentTypeError(f"{name}: expected some of {','.join(choices)}")
        return chosen

    return parse


def arguments():
    first, rest = __doc__.split("\n", 1)
    parser = argparse.ArgumentParser(
        description=first,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds, no large workloads")
    parser.add_argument("--json", action="store_true", help="a JSON object for each row")
    threads = [str(n) for n in range(1, len(workers.cores()) + 1)]
    default = threads[:2]
    parser.add_argument("--threads", type=names(threads), default=default, help="default: 1,2")
    parser.add_argument("--dtypes", type=names(list(TOLERANCES)), default=["f64", "f32"])
    parser.add_argument("--only", default="", help="workloads, or what their names begin with")
    return parser, parser.parse_args()


def chosen(all_tasks, args):
    """The tasks to time."""
    begins = lambda task, name: task == name or task.startswith(name + "-")
    tasks = all_tasks
    if args.quick:
        tasks = [t for t in tasks if not any(begins(t, name) for name in LARGE)]
    if args.only:
        only = args.only.split(",")
        tasks = [t for t in tasks if any(begins(t, name) for name in only)]
    return tasks


def read_result(path, lengths):
    """The parts of a result."""
    numbers = array.array("d")
    with open(path, "rb") as file:
        numbers.frombytes(file.read())
    if sys.byteorder == "big":
        numbers.byteswap()
    parts, start = [], 0
    for length in lengths:
        parts.append(numbers[start : start + length])
        start += length
    return parts


def difference(ours, theirs):
    """The largest relative difference of a part; LARGEST if it is not a number."""
    if [len(a) for a in ours] != [len(b) for b in theirs]:
        return LARGEST
    largest = 0.0
    for a, b in zip(ours, theirs):
        apart = math.sqrt(math.fsum((p - q) ** 2 for p, q in zip(a, b)))
        scale = math.sqrt(math.fsum(q * q for q in b))
        relative = apart / scale if scale > 0.0 else apart
        largest = max(largest, relative if math.isfinite(relative) else LARGEST)
    return largest


class Row:
    """One task in one precision on one number of threads."""

    def __init__(self, task, dtype, threads):
        self.task, self.dtype, self.threads = task, dtype, threads
        self.seconds, self.first, self.check = {}, {}, None

    def measure(self, team, folder, rounds, seconds):
        """Prepares the task everywhere, compares the results, and takes the times in turns."""
        results = {}
        able = []
        for worker in team:
            file = f"result.{worker.name}"
            try:
                answer = worker.ask(task=self.task, result=file)
            except Failed as failed:
                self.lose(worker, failed)
                continue
            able.append(worker)
            self.first[worker.name] = answer["first_call_s"]
            results[worker.name] = read_result(os.path.join(folder, file), answer["parts"])
        ours = results.pop("ours")
        if results:
            self.check = max(difference(ours, theirs) for theirs in results.values())
        times = {worker.name: [] for worker in able}
        for k in range(rounds):
            # Each is the first of a round in turn.
            for worker in able[k % len(able) :] + able[: k % len(able)]:
                try:
                    answer = worker.ask(task=self.task, seconds=seconds)
                except Failed as failed:
                    self.lose(worker, failed)
                    able.remove(worker)
                    continue
                times[worker.name].append(statistics.median(answer["seconds"]))
        self.seconds = {w.name: statistics.median(times[w.name]) for w in able}

    def lose(self, worker, failed):
        """Goes on without a peer; there is no row without ours."""
        if worker.name == "ours":
            raise failed
        complain(f"{self.task} {self.dtype}: {failed}")

    def ratio(self, peer):
        if peer not in self.seconds:
            return None
        return self.seconds[peer] / self.seconds["ours"]

    def wrong(self):
        return self.check is not None and self.check > TOLERANCES[self.dtype]

    def values(self):
        """What stands in the columns; None where there is no such peer."""
        times = [self.seconds.get(name) for name in ("ours", *PEERS)]
        ratios = [self.ratio(peer) for peer in PEERS]
        return [self.task, self.dtype, self.threads, *times, *ratios, self.check]

    def record(self):
        """The columns, and the time of each first call, which compiles."""
        firsts = {f"{name}_first_call_s": self.first.get(name) for name in ("ours", *PEERS)}
        return {**dict(zip(COLUMNS, self.values())), **firsts}

    def line(self):
        formats = ["{}", "{}", "{}", "{:.2e}", "{:.2e}", "{:.2e}", "{:.2f}", "{:.2f}", "{:.1e}"]
        texts = ["-" if v is None else f.format(v) for f, v in zip(formats, self.values())]
        return aligned(texts)


def aligned(texts):
    """A line of the table: the first two columns to the left."""
    cells = [t.ljust(w) if k < 2 else t.rjust(w) for k, (t, w) in enumerate(zip(texts, WIDTHS))]
    return " ".join(cells)


def geometric_means(rows, dtype, threads):
    """A line on the rows of one precision and number of threads."""
    parts = []
    for peer in PEERS:
        ratios = [row.ratio(peer) for row in rows]
        ratios = [r for r in ratios if r is not None]
        mean = f"{statistics.geometric_mean(ratios):.2f}" if ratios else "-"
        parts.append(f"ratio_{peer} {mean}")
    plural = "" if threads == 1 else "s"
    return f"geometric mean, {dtype}, {threads} thread{plural}: {', '.join(parts)}"


def complain(text):
    print(f"compare.py: {text}", file=sys.stderr, flush=True)


def run(args, tasks, executable, folder):
    """Prints the rows as they come; returns them."""
    rows, means = [], []
    peers, absent = workers.installed()
    if absent:
        complain(f"not installed, and left out: {', '.join(absent)}")
    rounds, seconds = (3, 0.04) if args.quick else (7, 0.1)
    if not args.json:
        print(aligned(COLUMNS), flush=True)
    for dtype in args.dtypes:
        for threads in map(int, args.threads):
            with contextlib.ExitStack() as stack:
                team = []
                for name in ("ours", *peers):
                    try:
                        worker = workers.start(name, executable, folder, dtype, threads)
                    except Failed as failed:
                        if name == "ours":
                            raise
                        complain(f"left out: {failed}")
                        continue
                    team.append(stack.enter_context(worker))
                mine = []
                for task in tasks:
                    row = Row(task, dtype, threads)
                    row.measure(team, folder, rounds, seconds)
                    print(json.dumps(row.record()) if args.json else row.line(), flush=True)
                    mine.append(row)
            means.append(geometric_means(mine, dtype, threads))
            rows += mine
    for line in means:
        print(line, file=sys.stderr if args.json else sys.stdout, flush=True)
    return rows


def main():
    parser, args = arguments()
    try:
        executable = workers.build()
        with tempfile.TemporaryDirectory(prefix="peers-") as folder:
            subprocess.run([executable, "write", folder], check=True)
            with open(os.path.join(folder, "tasks.json")) as file:
                tasks = chosen(json.load(file), args)
            if not tasks:
                parser.error(f"--only {args.only}: no such workload")
            rows = run(args, tasks, executable, folder)
    except (Failed, OSError, subprocess.CalledProcessError) as failed:
        complain(failed)
        return 1
    wrong = [row for row in rows if row.wrong()]
    if wrong:
        worst = max(wrong, key=lambda row: row.check / TOLERANCES[row.dtype])
        complain(
            f"{len(wrong)} results differ by more than the tolerance, the worst {worst.task} "
            f"{worst.dtype} by {worst.check:.1e}: expected at most {TOLERANCES[worst.dtype]:.0e}"
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
