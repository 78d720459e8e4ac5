#!/usr/bin/env python3
"""Times sparse logistic regression beside SciPy, JAX (BCOO) and PyTorch (CSR), and compares results.

    cargo build --release -p bilevel-models --example sparse_hvp
    python3 benches/peers/sparse.py [--threads 1,2] [--dtypes f64,f32] [--rounds 3]

20,242 samples of 47,236 features with 1.5 million entries, like rcv1 to train on. Needs NumPy, SciPy,
and of JAX and PyTorch those that are there. SciPy's products are written by hand, with the transpose
made beforehand: what two products with the matrix cost. All take turns on the same cores, and a time is
the median of the rounds. `difference` is that of the norms of the results, relative to ours. Exit codes:
0 done, 1 a difference above 1e-8 (1e-3 in f32).
"""

import argparse
import importlib.util
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack

import numpy as np

from compare import TOLERANCES
from workers import Worker, cores, environment

HERE = pathlib.Path(__file__).resolve().parent
PROGRAM = HERE.parents[1] / "target/release/examples/sparse_hvp"
SIZE = (20_242, 47_236, 74)
TASKS = ("gradient", "hvp", "joint")


def draw(folder):
    """Features as words are, the k-th the rarer the larger k is, each sample of norm 1."""
    rng, (n, d, mean) = np.random.default_rng(6), SIZE
    starts, places, values = [0], [], []
    for _ in range(n):
        share = rng.random(mean // 2 + rng.integers(0, mean + 1))
        words = np.unique((20 * ((d / 20 + 1) ** share - 1)).astype(int).clip(max=d - 1))
        sizes = rng.uniform(1, 3, len(words))
        places.append(words)
        values.append(sizes / np.linalg.norm(sizes))
        starts.append(starts[-1] + len(words))
    parts = {
        "indptr": np.array(starts),
        "indices": np.concatenate(places),
        "data": np.concatenate(values),
        "t": rng.choice([-1.0, 1.0], n),
        "x": rng.normal(-4, 0.1, d),
        "y": rng.normal(0, 0.5, d),
        "v": rng.normal(0, 1, d),
    }
    for name, part in parts.items():
        np.save(os.path.join(folder, f"Sparse.{name}.npy"), part.astype(float))
    np.save(os.path.join(folder, "Sparse.shape.npy"), np.array([n, d], float))
    np.concatenate(list(parts.values())).astype("<f8").tofile(os.path.join(folder, "all"))
    return len(parts["data"])


def ours(folder, entries, dtype, threads):
    """Seconds and norm of each task."""
    command = [PROGRAM, os.path.join(folder, "all"), *map(str, SIZE[:2]), str(entries), dtype, "0.3"]
    mine = set(cores()[:threads])
    out = subprocess.run(
        command,
        env=environment(threads),
        preexec_fn=lambda: os.sched_setaffinity(0, mine) if hasattr(os, "sched_setaffinity") else None,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    lines = [json.loads(line) for line in out.stdout.splitlines()]
    return {line["task"]: (line["seconds"], line["norm"]) for line in lines}


def theirs(worker, task, folder):
    """Seconds and norm of a task."""
    name = f"Sparse-{task}"
    worker.ask(task=name, result=f"result.{worker.name}")
    result = np.fromfile(os.path.join(folder, f"result.{worker.name}"), "<f8")
    return statistics.median(worker.ask(task=name, seconds=0.3)["seconds"]), np.linalg.norm(result)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", default="1,2", help="default: 1,2")
    parser.add_argument("--dtypes", default="f64,f32")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    peers = ["scipy"] + [p for p in ("jax", "torch") if importlib.util.find_spec(p)]
    columns = "".join(f"{p + '_s':>10}{p + '/ours':>11}" for p in peers)
    wrong = False
    with tempfile.TemporaryDirectory() as folder:
        entries = draw(folder)
        print(f"{entries} entries\n{'task':10} dtype threads    ours_s{columns} difference")
        for dtype in args.dtypes.split(","):
            for threads in map(int, args.threads.split(",")):
                with ExitStack() as stack:
                    script = [sys.executable, str(HERE / "sparse_worker.py")]
                    team = [
                        stack.enter_context(Worker(p, [*script, p], folder, dtype, threads))
                        for p in peers
                    ]
                    rounds = []
                    for _ in range(args.rounds):
                        all_of = [ours(folder, entries, dtype, threads)]
                        all_of += [{t: theirs(w, t, folder) for t in TASKS} for w in team]
                        rounds.append(all_of)
                for task in TASKS:
                    of = range(len(peers) + 1)
                    times = [statistics.median(r[k][task][0] for r in rounds) for k in of]
                    norms = [rounds[0][k][task][1] for k in of]
                    apart = max(abs(norm / norms[0] - 1) for norm in norms)
                    wrong |= apart > TOLERANCES[dtype]
                    cells = "".join(f"{t:10.2e}{t / times[0]:11.2f}" for t in times[1:])
                    print(
                        f"{task:10} {dtype:5} {threads:7} {times[0]:9.2e}{cells} {apart:10.1e}",
                        flush=True,
                    )
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
