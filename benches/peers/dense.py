#!/usr/bin/env python3
"""Times `exact` and `aid-direct` beside NumPy's Newton with Cholesky, and compares the results.

    python3 benches/peers/dense.py [--threads 1,2] [--dtypes f64,f32] [--rounds 7]

Needs cargo, NumPy and SciPy. There is one process of ours and one of NumPy for each precision and
number of threads, on the same cores; they take turns, and a time is the median of the rounds. Each call
solves the lower level from y = 0 and then the linear system. `difference` is relative, in the Euclidean
norm. Exit codes: 0 done, 1 a difference above 1e-8 (1e-3 in f32), 2 bad usage.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile

from compare import TOLERANCES, difference, read_result
from workers import Worker, build

TASKS = ("Dense-exact", "Dense-direct", "Dense-softmax-exact", "Dense-softmax-direct")
HERE = os.path.dirname(os.path.abspath(__file__))


def measure(team, task, folder, rounds):
    """Median seconds of each worker, and the relative difference of their results."""
    results = []
    for worker in team:
        answer = worker.ask(task=task, result=f"result.{worker.name}")
        path = os.path.join(folder, f"result.{worker.name}")
        results.append(read_result(path, answer["parts"]))
    times = [[] for _ in team]
    for k in range(rounds):
        for i in (0, 1) if k % 2 else (1, 0):
            seconds = team[i].ask(task=task, seconds=0.1)["seconds"]
            times[i].append(statistics.median(seconds))
    return [statistics.median(t) for t in times], difference(*results)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", default="1,2", help="default: 1,2")
    parser.add_argument("--dtypes", default="f64,f32")
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    executable, wrong = build(), False
    print(f"{'task':22} dtype threads   ours_s  numpy_s numpy/ours difference")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([executable, "write", folder], check=True)
        for dtype in args.dtypes.split(","):
            for threads in map(int, args.threads.split(",")):
                numpy = [sys.executable, os.path.join(HERE, "numpy_worker.py")]
                ours = Worker("ours", [executable, "worker"], folder, dtype, threads)
                with ours, Worker("numpy", numpy, folder, dtype, threads) as theirs:
                    for task in TASKS:
                        (a, b), apart = measure([ours, theirs], task, folder, args.rounds)
                        wrong |= apart > TOLERANCES[dtype]
                        print(
                            f"{task:22} {dtype:5} {threads:7} {a:8.2e} {b:8.2e} {b / a:10.2f} "
                            f"{apart:10.1e}",
                            flush=True,
                        )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
