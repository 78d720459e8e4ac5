#!/usr/bin/env python3
"""Bytes and time of unrolled loops against their depth, under each way to keep or recompute them.

    python3 benches/peers/memory.py [--quick] [--json] [--svg memory.svg] [--only W1,network]

The hypergradient through K gradient steps of the same two problems: W1, logistic regression of
2000×500 with a penalty for each feature, and a network 64-32-10 on 500 samples with a penalty for each
layer. Ours under every memory policy that plain steps have: as many slots as the root of K, the last
ten steps alone for `truncated`, and `forward` where x is of few entries. JAX by `scan`, by a checkpoint
for each step, and nested by roots of K; PyTorch in the same three ways.

Bytes are the most that a call holds beside its data: ours from the meter, which the prediction is held
to; JAX's from the compiled program's own analysis, temporaries and results; PyTorch's from all storages
that its operations make, while they are alive. What would hold more than the budget is not run, and
has its prediction in brackets: PyTorch's is made from smaller depths. Times are those of one call after
one to warm up; those of calls of more than a second are of the first, which compiles nothing.

Results are compared with ours under `stored`, except for `truncated`, which is another derivative. Exit
codes: 0 done, 1 a difference above the tolerance (1e-8 in f64, 1e-2 in f32) or something of ours that
failed, 2 bad usage.
"""

import argparse
import contextlib
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile

import plot
import workers
from machine import processor
from row import difference, read_result
from workers import Failed, complain

PROBLEMS = ["W1", "network"]
# A difference grows with the depth.
TOLERANCES = {"f64": 1e-8, "f32": 1e-2}
LONG = 1.0


def policies(system, problem, depth):
    """The ways of a system to keep or recompute a loop: a label, and the name in the task."""
    if system == "jax":
        return [(kind, kind) for kind in ("scan", "checkpoint", "nested")]
    if system == "torch":
        return [(kind, kind) for kind in ("loop", "checkpoint", "nested")]
    slots = math.isqrt(depth - 1) + 1
    named = [("taped", "taped"), ("stored", "stored")]
    named += [(kind, f"{kind}:{slots}") for kind in ("checkpointed", "online")]
    named += [("truncated", "truncated:10")]
    return named + ([("forward", "forward")] if problem == "network" else [])


def arguments():
    first, rest = __doc__.split("\n", 1)
    parser = argparse.ArgumentParser(
        description=first,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="no depths above 1000")
    parser.add_argument("--json", action="store_true", help="a JSON object for each row")
    parser.add_argument("--svg", metavar="FILE", help="where to draw the plot")
    parser.add_argument("--only", default=",".join(PROBLEMS), help="problems")
    parser.add_argument("--dtype", choices=list(TOLERANCES), default="f64")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--budget", type=int, default=2048, help="in MiB; default: 2048")
    args = parser.parse_args()
    for problem in args.only.split(","):
        if problem not in PROBLEMS:
            parser.error(f"--only {problem}: expected some of {','.join(PROBLEMS)}")
    return args


class Bench:
    """The workers, what was measured so far, and what our results were."""

    def __init__(self, args, team, folder):
        self.args, self.team, self.folder = args, team, folder
        self.rows, self.ours, self.failed = [], {}, False

    def earlier(self, row):
        """The bytes at the two depths before, of the same system and policy."""
        keys = ("problem", "system", "policy")
        same = [r for r in self.rows if all(r[k] == row[k] for k in keys)]
        return [(r["depth"], r["bytes"]) for r in same if r["bytes"] is not None][-2:]

    def predicted(self, worker, task, row):
        """The bytes that a task will hold, as far as that is known before; they grow along a line."""
        bytes = worker.ask(task=task, predict=True)["bytes"]
        points = self.earlier(row)
        if bytes is None and len(points) == 2:
            (k0, b0), (k1, b1) = points
            bytes = round(b1 + (row["depth"] - k1) * (b1 - b0) / (k1 - k0))
        return bytes

    def measure(self, worker, problem, depth, label, name):
        """A row: bytes, seconds, and the difference from ours."""
        task = f"memory-{problem}-{name}-K{depth}"
        row = {"problem": problem, "depth": depth, "system": worker.name, "policy": label}
        row.update(bytes=None, seconds=None, check_difference=None, status="run")
        try:
            row["bytes"] = self.predicted(worker, task, row)
            if row["bytes"] is not None and row["bytes"] > self.args.budget << 20:
                row["status"] = "over-budget"
                return row
            file = f"result.{worker.name}"
            answer = worker.ask(task=task, result=file)
            row["bytes"], row["seconds"] = answer["bytes"], answer["first_call_s"]
            if row["seconds"] < LONG or worker.name == "torch":
                again = worker.ask(task=task, seconds=0.2)["seconds"]
                row["seconds"] = statistics.median(again)
            result = read_result(os.path.join(self.folder, file), answer["parts"])
        except Failed as failed:
            row["status"] = "failed"
            self.failed |= worker.name == "ours"
            complain(f"{task}: {failed}")
            return row
        if (worker.name, label) == ("ours", "stored"):
            self.ours[problem, depth] = result
        elif label != "truncated" and (problem, depth) in self.ours:
            row["check_difference"] = difference(self.ours[problem, depth], result)
        return row

    def run(self, problems, depths):
        for problem in problems:
            for depth in depths:
                for worker in self.team:
                    listed = policies(worker.name, problem, depth)
                    # What the others are held against goes first.
                    for label, name in sorted(listed, key=lambda p: p[0] != "stored"):
                        row = self.measure(worker, problem, depth, label, name)
                        self.rows.append(row)
                        print(json.dumps(row) if self.args.json else line(row), flush=True)


def line(row):
    """A row of the table; bytes of what was not run in brackets."""
    bytes = "-" if row["bytes"] is None else size(row["bytes"])
    if row["status"] == "over-budget":
        bytes = f"({bytes})"
    seconds = row["status"] if row["seconds"] is None else f"{row['seconds']:.3g} s"
    apart = "-" if row["check_difference"] is None else f"{row['check_difference']:.1e}"
    words = f"{row['problem']:8} {row['depth']:6} {row['system']:6} {row['policy']:13}"
    return f"{words} {bytes:>12} {seconds:>12} {apart:>8}"


def size(bytes):
    for unit in ("B", "KiB", "MiB"):
        if bytes < 1024:
            return f"{bytes:.4g} {unit}"
        bytes /= 1024
    return f"{bytes:.4g} GiB"


def main():
    args = arguments()
    depths = [10, 100, 1000] + ([] if args.quick else [10_000])
    words = sys.stderr if args.json else sys.stdout
    try:
        executable = workers.build()
        peers = workers.peers_of(["memory"])
        absent = workers.absent(peers)
        if absent:
            complain(f"not installed, and left out: {', '.join(absent)}")
        here = [peer for peer in peers if peer.name not in absent]
        with tempfile.TemporaryDirectory(prefix="peers-") as folder, contextlib.ExitStack() as stack:
            workers.write(executable, folder, ["memory"])
            team = workers.team(stack, here, executable, folder, args.dtype, args.threads)
            bench = Bench(args, list(team), folder)
            print("{}, {}".format(*processor()), file=words)
            bench.run(args.only.split(","), depths)
    except (Failed, OSError, subprocess.CalledProcessError) as failed:
        complain(failed)
        return 1
    if args.svg:
        with open(args.svg, "w") as file:
            file.write(plot.page(bench.rows))
    tolerance = TOLERANCES[args.dtype]
    wrong = [row for row in bench.rows if (row["check_difference"] or 0.0) > tolerance]
    for row in wrong:
        complain(f"off by more than {tolerance:.0e}: {line(row)}")
    return 1 if wrong or bench.failed else 0


if __name__ == "__main__":
    sys.exit(main())
