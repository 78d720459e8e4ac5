#!/usr/bin/env python3
"""Races our methods beside the compiled JAX solvers of benchopt/benchmark_bilevel, on the same samples.

    git clone https://github.com/benchopt/benchmark_bilevel BENCHMARK
    python3 benches/peers/race.py --benchmark BENCHMARK [--problems quadratics,regularisation] [--json]
                                  [--methods soba,...] [--ways vectors,...] [--draws blocks] [--seeds 3]
                                  [--dtype f32] [--seconds 2]

Needs JAX, NumPy and our Python package (`pip install ./benches/python`); benchopt itself is not needed. Both
problems have batches of 64 and the settings of `bilevel race --track quadratics` and `regularisation`, which
are the benchmark's tuned ones where it publishes any. Quadratics are at its sizes (32,768 and 1,024 samples,
x of 10 and y of 100 entries), of rank one, and given to its solvers in two ways: `matrices`, as its own
dataset has them, a matrix for each sample; and `vectors`, as ours are. Regularisation is logistic regression
at the sizes of ijcnn1 on samples drawn here.

Ours and theirs take turns on one core. A time per iteration is the median over the seeds, from the first
report to the last; compiling and recording are not in it, nor what is measured for a report. A time to
accuracy counts from the first iteration until ‖∇φ(x)‖², found in f64 by an exact solution of the lower
level, is so much of its start, to within a report (a hundredth of a second of theirs) or a fifth; `-` if
less than half of the seeds come there in `--seconds`. Ratios are theirs over ours: above 1 we are faster.
Theirs takes blocks of neighbours in random order; `--draws` says whether ours does too, or draws samples
with replacement, as it does unless told otherwise.

Exit codes: 0 done; 1 something that could not run; 2 bad usage.
"""

import argparse
import functools
import json
import math
import os
import pathlib
import statistics
import sys
import tomllib

from compare import count, names
from machine import processor
from race_benchmark import SOLVERS, Benchmark, Ours, Theirs
from race_problems import PROBLEMS
from workers import cores, environment

TRACKS = pathlib.Path(__file__).resolve().parents[1] / "src/runs/race"
# Of ‖∇φ‖² at the start.
ACCURACIES = (1e-1, 1e-2, 1e-4)
# What its solvers have as parameters, and ours as the method's own.
SHARE = {"srba": 0.5, "vrbo": 0.01}
WAYS = ("vectors", "matrices")
COLUMNS = ("problem", "method", "theirs as", "calls", "theirs µs", "ours µs", "ratio")


def arguments():
    first, rest = __doc__.split("\n\n", 1)
    parser = argparse.ArgumentParser(
        description=first, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--benchmark", required=True, metavar="DIR", help="a checkout of the benchmark")
    parser.add_argument("--problems", type=names(PROBLEMS), default=list(PROBLEMS))
    parser.add_argument("--methods", type=names(SOLVERS), default=list(SOLVERS))
    parser.add_argument("--ways", type=names(WAYS), default=list(WAYS))
    parser.add_argument("--draws", choices=["blocks", "replacement"], default="blocks")
    parser.add_argument("--seeds", type=count, default=3, help="default: 3")
    parser.add_argument("--dtype", choices=["f32", "f64"], default="f32", help="default: f32, JAX's own")
    parser.add_argument("--seconds", type=float, default=2.0, help="the longest a run goes; default: 2")
    parser.add_argument("--json", action="store_true", help="a JSON object for each row")
    args = parser.parse_args()
    # The tests race on a few samples.
    args.sizes = None
    return args


def settings(track, blocks):
    """Settings of each method of a track."""
    with open(TRACKS / f"{track}.toml", "rb") as file:
        read = tomllib.load(file)
    runs = read.get("run") or [{"method": method} for method in read["grid"]["method"]]
    found = {run["method"]: {**read["base"], **run} for run in runs}
    own = {"batch": 64, "blocks": blocks}
    return {method: {"step": of["step"], "rate": of["rate"], **own} for method, of in found.items()}


def both(method, of, samples):
    """Our method's name and settings, and the parameters of its solver."""
    parameters = {
        "batch_size": of["batch"],
        "step_size": of["step"],
        "outer_ratio": of["step"] / of["rate"],
    }
    name = method
    if method in SHARE:
        parameters["period_frac"] = SHARE[method]
        name = f"{method}:{max(int(samples * SHARE[method] / of['batch']), 1)}"
    return name, of, parameters


class Watch:
    """How far a run goes, and when it came to each accuracy: it is judged at reports a fifth later than
    the last, as an exact gradient takes longer than a report."""

    def __init__(self, problem, seconds):
        self.gradient_squared = lambda x: float(problem.gradient_squared(x.astype(float)))
        self.start, self.seconds = self.gradient_squared(problem.x), seconds
        self.next, self.until = 0.0, [math.inf] * len(ACCURACIES)

    def __call__(self, pairs):
        """Whether it is over: after two reports, where the time is, or x is as near as is asked for."""
        seconds, x = pairs[-1]
        if seconds >= self.next:
            share, self.next = self.gradient_squared(x) / self.start, 1.2 * seconds
            reached = [seconds if share <= wanted else math.inf for wanted in ACCURACIES]
            self.until = [min(before, now) for before, now in zip(self.until, reached)]
        return len(pairs) > 2 and (seconds >= self.seconds or math.inf not in self.until)


def per_iteration(pairs, every):
    """Seconds, from the first report to the last."""
    (first, _), (last, _) = pairs[1], pairs[-1]
    return (last - first) / (every * (len(pairs) - 2))


def spaced(make):
    """Iterations of a report of theirs, a power of two, that take a hundredth of a second or more."""
    few = 8
    pairs = make(few).run(0, lambda pairs: len(pairs) > 3)
    times = math.ceil(0.01 / (per_iteration(pairs, few) * few))
    return min(few << (times - 1).bit_length(), 8192)


def raced(ours, theirs, watch, seeds):
    """Medians over the seeds of the times per iteration and to each accuracy, of theirs and of ours."""
    times, until = ([], []), ([], [])
    for seed in range(1, seeds + 1):
        for k, side in enumerate((theirs, ours)):
            watched = watch()
            times[k].append(per_iteration(side.run(seed, watched), side.every))
            until[k].append(watched.until)
    middle = statistics.median_high
    return [middle(of) for of in times], [[middle(of) for of in zip(*to)] for to in until]


def rows(args, bl, benchmark):
    """A record for each problem, method and way in which its solver is given the problem."""
    for name in args.problems:
        problem = PROBLEMS[name](args.sizes, 0, {"f32": "float32", "f64": "float64"}[args.dtype])
        watch, of = functools.partial(Watch, problem, args.seconds), settings(name, args.draws == "blocks")
        samples = len(problem.lower[0]) + len(problem.upper[0])
        ways = problem.theirs(benchmark)
        for way in [way for way in args.ways if way in ways]:
            objectives = ways[way]()
            for method in args.methods:
                named, ours, parameters = both(method, of[method], samples)
                make = lambda every: Theirs(benchmark, method, objectives, problem, every, parameters)
                every = spaced(make)
                ours = Ours(bl, named, ours, problem, every)
                times, until = raced(ours, make(every), watch, args.seeds)
                yield {
                    "problem": name,
                    "method": named,
                    "theirs_as": way,
                    "dtype": args.dtype,
                    "draws": args.draws,
                    "seeds": args.seeds,
                    "report_every": every,
                    "gradients": ours.calls[0],
                    "hvps": ours.calls[1],
                    "theirs_s": times[0],
                    "ours_s": times[1],
                    "ratio": times[0] / times[1],
                    "to_accuracy": [
                        {"share": share, "theirs_s": finite(theirs), "ours_s": finite(ours)}
                        for share, theirs, ours in zip(ACCURACIES, *until)
                    ],
                }


def finite(seconds):
    return seconds if math.isfinite(seconds) else None


def cells(row):
    """A row of the table, as text."""
    yield from (row["problem"], row["method"], row["theirs_as"])
    yield f"{row['gradients']:.1f}+{row['hvps']:.1f}"
    yield from (f"{row[of] * 1e6:.1f}" for of in ("theirs_s", "ours_s"))
    yield f"{row['ratio']:.2f}"
    for at in row["to_accuracy"]:
        theirs, ours = at["theirs_s"], at["ours_s"]
        text = lambda seconds: "-" if seconds is None else f"{seconds:.3g}"
        ratio = f" ({theirs / ours:.2f})" if theirs and ours else ""
        yield f"{text(theirs)}, {text(ours)}{ratio}"


def line(texts):
    widths = [14, 9, 8, 10, 9, 9, 6] + [21] * len(ACCURACIES)
    both = zip(texts, widths, strict=True)
    return " ".join(t.ljust(w) if k < 3 else t.rjust(w) for k, (t, w) in enumerate(both)).rstrip()


def main():
    args = arguments()
    # Before JAX and threads of ours begin.
    os.environ.update(environment(1))
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {cores()[0]})
    try:
        import bilevel as bl
        import jax

        benchmark = Benchmark(args.benchmark)
    except (ImportError, ValueError) as failed:
        print(f"race.py: {failed}", file=sys.stderr)
        return 1
    jax.config.update("jax_enable_x64", args.dtype == "f64")
    bl.threads(1)
    print("{}, {}, one thread".format(*processor()), file=sys.stderr)
    if not args.json:
        reached = [f"s to {share:g}" for share in ACCURACIES]
        print(line([*COLUMNS, *reached]), flush=True)
    for row in rows(args, bl, benchmark):
        print(json.dumps(row) if args.json else line(cells(row)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
