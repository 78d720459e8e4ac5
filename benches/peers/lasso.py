"""Paths of sparse regressions beside celer, scikit-learn and sparho: times, and distances from the solution.

    cargo build --release -p bilevel-models --example lasso_path
    python3 benches/peers/lasso.py [--kinds lasso,elastic-net,weighted-lasso,sparse-logistic]
        [--sizes dense,sparse] [--points 10] [--ratio 0.05] [--accuracies 1e-4,1e-8]

Dense is 200 samples of 1000 features, sparse 1000 of 20,000 with 1 % of entries. All solve the same
problems, min_y loss/n + w h(y) for weights w down to a part of the largest, each started from the
solution before. "ours" has the hypergradient of a validation loss at each point too, and so has sparho,
which solves by celer here; "ours alone" and the others' times are of the solutions alone. Errors are the
largest |y - y*| over the path as a part of the largest |y*|, against ours at a residual of 1e-13, whose
largest violation of the optimality conditions is recomputed here and printed; that of the gradient is held
against the formula on the support. A tolerance is each program's own: an absolute residual of ours, the gap
relative to the target's size of celer and scikit-learn. So each program is given the largest power of ten
from 1e-4 on with which its error is no more than the accuracy asked for; one that has none is left out.
The programs take turns, and a time is the least of the rounds.
"""

import argparse
import json
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import scipy.sparse

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "target/release/examples/lasso_path"
SIZES = {"dense": (200, 1000, 1.0), "sparse": (1000, 20_000, 0.01)}
KINDS = ("lasso", "elastic-net", "weighted-lasso", "sparse-logistic")


def data(size, kind, seed):
    samples, features, density = SIZES[size]
    draw = np.random.default_rng(seed)
    truth = np.zeros(features)
    some = draw.choice(features, min(features // 50, 100), replace=False)
    truth[some] = draw.normal(size=len(some))

    def normal(size):
        return draw.normal(size=size)

    def rows(n):
        if density < 1:
            a = scipy.sparse.random(n, features, density, "csr", random_state=draw, data_rvs=normal)
        else:
            a = draw.normal(size=(n, features))
        t = a @ truth + 0.5 * draw.normal(size=n)
        return a, np.where(t > 0, 1.0, -1.0) if kind == "sparse-logistic" else t

    return rows(samples), rows(samples)


class Ours:
    def __init__(self, parts, kind, points, ratio, folder):
        self.file, self.rest = f"{folder}/{kind}.bin", [str(points), str(ratio)]
        entries = []
        with open(self.file, "wb") as file:
            for a, t in parts:
                sparse = scipy.sparse.issparse(a)
                entries.append(a.nnz if sparse else 0)
                numbers = [a.indptr, a.indices, a.data] if sparse else [a]
                for part in (*numbers, t):
                    file.write(np.ascontiguousarray(part, dtype="<f8").tobytes())
        sizes = [len(parts[0][1]), parts[0][0].shape[1], len(parts[1][1]), *entries]
        self.sizes = [kind, *map(str, sizes)]

    def __call__(self, tolerance):
        command = [PROGRAM, self.file, *self.sizes, str(tolerance), *self.rest]
        out = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        rows = [json.loads(line) for line in out.splitlines()]
        bad = sorted({row["status"] for row in rows} - {"converged"})
        whole, alone = (sum(row[key] for row in rows) for key in ("seconds", "solve_seconds"))
        y, y_alone, gradient = (np.array([row[key] for row in rows]) for key in ("y", "y_alone", "hypergradient"))
        return {"ours": (whole, y, gradient, ",".join(bad)), "ours alone": (alone, y_alone, None, "")}


def timed(name, path, tolerance):
    """The same of another program."""
    began = time.perf_counter()
    y, gradient = path(tolerance)
    return {name: (time.perf_counter() - began, np.array(y), gradient, "")}


def peers(kind, train, valid, weights, shares):
    """What solves it, by name: a function of the tolerance that gives y and gradients along the path."""
    from celer import Lasso, LogisticRegression, celer_path
    from sklearn.linear_model import LogisticRegression as Liblinear
    from sklearn.linear_model import enet_path, lasso_path

    (a, t), (b, u) = train, valid
    design = scipy.sparse.csc_matrix(a) if scipy.sparse.issparse(a) else np.asfortranarray(a)
    alone = lambda y: (y.T, None)  # noqa: E731
    celer = dict(alphas=weights, max_iter=1000)

    def celer_logistic(tolerance):
        y, model = [], LogisticRegression(solver="celer", fit_intercept=False, warm_start=True, tol=tolerance)
        for w in weights:
            model.C = 1 / (len(t) * w)
            y.append(model.fit(design, t).coef_[0].copy())
        return y, None

    def liblinear(tolerance):
        y = []
        for w in weights:
            model = Liblinear(C=1 / (len(t) * w), l1_ratio=1, solver="liblinear", fit_intercept=False, tol=tolerance)
            y.append(model.set_params(max_iter=10_000).fit(a, t).coef_[0])
        return y, None

    def celer_weighted(tolerance):
        y, model = [], Lasso(fit_intercept=False, warm_start=True, tol=tolerance, weights=shares)
        for w in weights:
            model.alpha = w
            y.append(model.fit(design, t).coef_.copy())
        return y, None

    scaled = design @ scipy.sparse.diags(1 / shares) if scipy.sparse.issparse(a) else np.asfortranarray(a / shares)

    def by_sparho(tolerance):
        import sparho
        from sparho.adapters.celer import CelerElasticNet, CelerLasso

        lasso = kind == "lasso"
        penalty = sparho.L1() if lasso else sparho.ElasticNet(rho=0.5)
        solver = (CelerLasso if lasso else CelerElasticNet)(tol=tolerance)
        problem = sparho.Problem(sparho.SquaredLoss(), penalty, design, t)
        y, gradients, last = [], [], None
        for w in weights if lasso else 2 * weights:
            found = solver(problem, w, x0=last, tol=tolerance)
            last = found.coef
            by_y = b.T @ (b @ last - u) / len(u)
            gradients.append([w * sparho.implicit_forward(problem, w, found, by_y)])
            y.append(last.copy())
        return y, np.array(gradients)

    enet = dict(l1_ratio=0.5)
    return {
        "lasso": {
            "celer": lambda tol: alone(celer_path(design, t, "lasso", tol=tol, **celer)[1]),
            "scikit-learn": lambda tol: alone(lasso_path(design, t, alphas=weights, tol=tol, max_iter=10**5)[1]),
            "sparho": by_sparho,
        },
        "elastic-net": {
            "celer": lambda tol: alone(
                celer_path(design, t, "lasso", tol=tol, l1_ratio=0.5, alphas=2 * weights, max_iter=1000)[1]
            ),
            "scikit-learn": lambda tol: alone(
                enet_path(design, t, alphas=2 * weights, tol=tol, max_iter=10**5, **enet)[1]
            ),
            "sparho": by_sparho,
        },
        "weighted-lasso": {
            "celer": celer_weighted,
            "scikit-learn": lambda tol: (
                lasso_path(scaled, t, alphas=weights, tol=tol, max_iter=10**5)[1].T / shares,
                None,
            ),
        },
        "sparse-logistic": {"celer": celer_logistic, "scikit-learn": liblinear},
    }[kind]


def slopes(kind, a, t, y):
    """The gradient of the loss, and the curvature of each sample."""
    z = a @ y
    if kind != "sparse-logistic":
        return a.T @ (z - t) / len(t), np.full(len(t), 1 / len(t))
    s = 1 / (1 + np.exp(t * z))
    return a.T @ (-t * s) / len(t), s * (1 - s) / len(t)


def checked(kind, train, valid, y, weights, shares):
    """The largest violation of the optimality conditions, and the hypergradients by the formula."""
    violation, gradients = 0.0, []
    for y, w in zip(y, weights):
        g, curvatures = slopes(kind, *train, y)
        square = w if kind == "elastic-net" else 0.0
        g = g + square * y
        s = np.flatnonzero(y)
        off = np.maximum(np.abs(g) - w * shares, 0)
        off[s] = np.abs(g[s] + w * shares[s] * np.sign(y[s]))
        violation = max(violation, off.max() / w)
        columns = train[0][:, s]
        columns = columns.toarray() if scipy.sparse.issparse(columns) else columns
        block = columns.T @ (curvatures[:, None] * columns) + square * np.eye(len(s))
        v = np.linalg.solve(block, slopes(kind, *valid, y)[0][s])
        by_entry = np.zeros(len(y))
        by_entry[s] = -w * shares[s] * np.sign(y[s]) * v
        by_square = -square * y[s] @ v
        of = {"weighted-lasso": by_entry, "elastic-net": np.array([by_entry.sum(), by_square])}
        gradients.append(of.get(kind, np.array([by_entry.sum()])))
    return violation, np.array(gradients)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--sizes", default="dense,sparse")
    parser.add_argument("--points", type=int, default=10)
    parser.add_argument("--ratio", type=float, default=0.05)
    parser.add_argument("--accuracies", default="1e-4,1e-8")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    for size in args.sizes.split(","):
        for kind in args.kinds.split(","):
            with tempfile.TemporaryDirectory() as folder:
                compare(size, kind, args, folder)


def compare(size, kind, args, folder):
    train, valid = data(size, kind, args.seed)
    (a, t), d = train, train[0].shape[1]
    half = 0.5 if kind == "sparse-logistic" else 1.0
    largest = np.abs(a.T @ t).max() / len(t) * half
    weights = largest * args.ratio ** (np.arange(1, args.points + 1) / args.points)
    shares = 0.5 + np.arange(d) % 5 / 4 if kind == "weighted-lasso" else np.ones(d)
    ours = Ours((train, valid), kind, args.points, args.ratio, folder)
    exact = ours(1e-13)["ours"][1]
    violation, formula = checked(kind, train, valid, exact, weights, shares)
    kept = [int(np.count_nonzero(y)) for y in (exact[0], exact[-1])]
    print(f"\n{kind}, {a.shape[0]} x {d}, {args.points} weights down to {args.ratio} of the largest")
    print(f"from {kept[0]} to {kept[1]} entries; violation of the solutions held against: {violation:.1e}")
    print(f"{'accuracy':>9} {'program':>13} {'tolerance':>10} {'seconds':>9} {'/ours':>7} {'/alone':>7}", end="")
    print(f" {'error of y':>11} {'of gradient':>12}")
    team = {"ours": ours}
    for name, path in peers(kind, train, valid, weights, shares).items():
        team[name] = lambda tolerance, name=name, path=path: timed(name, path, tolerance)

    def error(result):
        return np.abs(result[1] - exact).max() / np.abs(exact).max()

    tolerances = dict.fromkeys(team, 1e-4)
    for accuracy in map(float, args.accuracies.split(",")):
        best = {}
        for name in list(tolerances):
            while tolerances[name] > 1e-16 and max(map(error, team[name](tolerances[name]).values())) > accuracy:
                tolerances[name] *= 0.1
            if tolerances[name] <= 1e-16:
                del tolerances[name]
        for _ in range(args.rounds):
            for name, tolerance in tolerances.items():
                for row, result in team[name](tolerance).items():
                    if row not in best or result[0] < best[row][1][0]:
                        best[row] = (tolerance, result)
        for name, (tolerance, result) in best.items():
            took, _, gradient, bad = result
            ratios = [took / best[own][1][0] for own in ("ours", "ours alone")]
            # Of one weight for both, sparho has the sum of our two derivatives.
            of = formula.sum(1, keepdims=True) if name == "sparho" else formula
            off = "-" if gradient is None else f"{np.abs(gradient - of).max() / np.abs(of).max():.1e}"
            print(f"{accuracy:9.0e} {name:>13} {tolerance:10.0e} {took:9.4f} {ratios[0]:7.2f} {ratios[1]:7.2f}", end="")
            print(f" {error(result):11.1e} {off:>12} {bad}", flush=True)


if __name__ == "__main__":
    main()
