"""A path of dense Lassos beside celer and scikit-learn: times, and how far each is from the solution.

    cargo build --release -p bilevel-models --example lasso_path
    python3 benches/peers/lasso.py [--samples 200] [--features 1000] [--points 10] [--ratio 0.05]

All solve min_y |Ay - t|^2 / 2n + w |y|_1 for the same weights w, each started from the solution before.
Ours also has the hypergradient of a validation loss at each point, by the system on the support; the
others' times are of the solutions alone. Errors are the largest |y - y*| over the path as a part of the
largest |y*|, against celer at 1e-15; the hypergradient is held against the formula on that support.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]


def data(samples, features, seed):
    draw = np.random.default_rng(seed)
    truth = np.zeros(features)
    truth[: features // 50] = draw.normal(size=features // 50)

    def rows(n):
        a = draw.normal(size=(n, features))
        return a, a @ truth + 0.5 * draw.normal(size=n)

    return rows(samples), rows(samples)


def ours(train, valid, tolerance, points, ratio):
    (a, t), (b, u) = train, valid
    with tempfile.NamedTemporaryFile(suffix=".bin") as file:
        for part in (a, t, b, u):
            file.write(np.ascontiguousarray(part, dtype="<f8").tobytes())
        file.flush()
        program = ROOT / "target/release/examples/lasso_path"
        sizes = [len(t), a.shape[1], len(u), tolerance, points, ratio]
        run = subprocess.run(
            [program, file.name, *map(str, sizes)], capture_output=True, text=True, check=True
        )
    rows = [json.loads(line) for line in run.stdout.splitlines()]
    bad = [row["status"] for row in rows if row["status"] != "converged"]
    if bad:
        print("ours:", bad, file=sys.stderr)
    seconds = sum(row["seconds"] for row in rows)
    return seconds, np.array([row["y"] for row in rows]), [row["hypergradient"] for row in rows]


def timed(path):
    began = time.perf_counter()
    y = path()
    return time.perf_counter() - began, y


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--features", type=int, default=1000)
    parser.add_argument("--points", type=int, default=10)
    parser.add_argument("--ratio", type=float, default=0.05)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    from celer import celer_path
    from sklearn.linear_model import lasso_path

    warnings.simplefilter("ignore")
    train, valid = data(args.samples, args.features, args.seed)
    (a, t), (b, u) = train, valid
    n = len(t)
    largest = np.abs(a.T @ t).max() / n
    weights = largest * args.ratio ** (np.arange(1, args.points + 1) / args.points)
    design = np.asfortranarray(a)

    def celer(tolerance):
        return celer_path(design, t, "lasso", alphas=weights, tol=tolerance, max_iter=1000)[1].T

    def sklearn(tolerance):
        return lasso_path(design, t, alphas=weights, tol=tolerance, max_iter=100000)[1].T

    exact = celer(1e-15)
    size = np.abs(exact).max()
    formula = []
    for y, weight in zip(exact, weights):
        s = np.flatnonzero(y)
        gram = a[:, s].T @ a[:, s] / n
        v = np.linalg.solve(gram, (b.T @ (b @ y - u) / len(u))[s])
        formula.append(-weight * np.sign(y[s]) @ v)
    formula = np.array(formula)

    print(f"{args.samples} x {args.features}, {args.points} weights down to {args.ratio} of the largest")
    print(f"{'tolerance':>10} {'program':>14} {'seconds':>10} {'error of y':>12} {'of gradient':>12}")
    for tolerance in (1e-4, 1e-6, 1e-8, 1e-10):
        best = {}
        for _ in range(args.rounds):
            seconds, y, gradient = ours(train, valid, tolerance, args.points, args.ratio)
            for name, (took, found) in {
                "ours": (seconds, y),
                "celer": timed(lambda: celer(tolerance)),
                "scikit-learn": timed(lambda: sklearn(tolerance)),
            }.items():
                if name not in best or took < best[name][0]:
                    best[name] = (took, found)
        off = np.abs(np.array(gradient) - formula).max() / np.abs(formula).max()
        for name, (took, found) in best.items():
            error = np.abs(found - exact).max() / size
            last = f"{off:12.1e}" if name == "ours" else f"{'-':>12}"
            print(f"{tolerance:10.0e} {name:>14} {took:10.4f} {error:12.1e} {last}")


if __name__ == "__main__":
    main()
