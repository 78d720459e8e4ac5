"""The numbers that the test of `constrained-svm` is held against (`tests/tests/engine/tasks`).

    python3 benches/peers/constrained_svm.py

Needs NumPy, SciPy, scikit-learn and mpmath. SLSQP finds the active set of min ½‖w‖² under the margins and
the budgets of slack; the equations of that set are solved in 60 digits, in which multipliers and
inequalities are looked at, and F is differenced. Beside them stand the differences of SLSQP's own solutions,
and the weights of scikit-learn's soft-margin machine with the multipliers of the budgets as its costs.
The last line is the least budget that both classes can keep, by a linear program.
"""

import math

import mpmath as mp
import numpy as np
from scipy.optimize import linprog, minimize
from sklearn.svm import SVC

N, D, VALID = 16, 3, 6
CLASSES = (-1.0, 1.0)
mp.mp.dps = 60


def samples(first, count, height):
    def feature(i, j):
        return math.sin(0.9 * ((i + 1) * (j + 1)) + j)

    def label(i):
        line = feature(i, 0) + 0.5 * feature(i, 1) + height * math.cos(3.0 * i) + 0.2
        return 1.0 if line > 0 else -1.0

    places = range(first, first + count)
    rows = np.array([[feature(i, j) for j in range(D)] + [1.0] for i in places])
    labels = np.array([label(i) for i in places])
    return rows * labels[:, None], labels


TRAIN, LABELS = samples(0, N, 1.0)
SIGNED, _ = samples(100, VALID, 0.0)


def rows():
    """The constraints C y <= c, those of the budgets but for their right-hand sides."""
    margins = np.hstack([-TRAIN, -np.eye(N)])
    slacks = np.hstack([np.zeros((N, D + 1)), -np.eye(N)])
    of = np.array([(LABELS == t) / np.sum(LABELS == t) for t in CLASSES])
    budgets = np.hstack([np.zeros((2, D + 1)), of])
    return np.vstack([margins, slacks, budgets])


C = rows()


def right(x):
    return [-1] * N + [0] * N + [mp.exp(v) for v in x]


def slsqp(x):
    c = np.array([float(v) for v in right(x)])
    square = np.array([1.0] * D + [0.0] * (N + 1))
    found = minimize(
        lambda y: 0.5 * (square * y) @ y,
        np.concatenate([np.zeros(D + 1), np.ones(N)]),
        jac=lambda y: square * y,
        constraints=[{"type": "ineq", "fun": lambda y: c - C @ y, "jac": lambda y: -C}],
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 2000},
    )
    assert found.success, found.message
    return found.x


def solve(x, active):
    """y and the multipliers on the active set, in 60 digits."""
    size, c = D + 1 + N, right(x)
    a, b = mp.zeros(size + len(active)), mp.zeros(size + len(active), 1)
    for j in range(D):
        a[j, j] = 1
    for k, i in enumerate(active):
        for j in range(size):
            a[size + k, j] = a[j, size + k] = mp.mpf(float(C[i, j]))
        b[size + k] = c[i]
    found = list(mp.lu_solve(a, b))
    return found[:size], found[size:]


def upper(y):
    margins = [sum(mp.mpf(float(a)) * v for a, v in zip(row, y)) for row in SIGNED]
    return sum(mp.log(1 + mp.exp(-m)) for m in margins) / VALID


def differences(value, x, step):
    def at(k, by):
        return value([v + (by if i == k else 0) for i, v in enumerate(x)])

    return [(at(k, step) - at(k, -step)) / (2 * step) for k in range(2)]


def text(numbers):
    return [mp.nstr(v, 17) for v in numbers]


def main():
    for budgets in ((0.5, 0.7), (0.75, 0.25), (0.45, 0.35)):
        x = [mp.mpf(math.log(v)) for v in budgets]
        rough = slsqp(x)
        free = np.array([float(v) for v in right(x)]) - C @ rough
        active = [i for i in range(len(free)) if free[i] < 1e-6]
        y, prices = solve(x, active)
        left = [r - sum(mp.mpf(float(a)) * v for a, v in zip(row, y)) for row, r in zip(C, right(x))]
        assert all(v > 0 for v in prices), "something pulls"
        assert all(v > 0 for i, v in enumerate(left) if i not in active), "something is violated"
        print("budgets", budgets, "SLSQP is off by", max(abs(float(v) - r) for v, r in zip(y, rough)))
        print("  w, b", text(y[: D + 1]), "prices", text(prices[-2:]), "F", text([upper(y)]))
        by = differences(lambda x: upper(solve(x, active)[0]), x, mp.mpf(10) ** -20)
        own = differences(lambda x: upper([mp.mpf(v) for v in slsqp(x)]), x, 1e-4)
        print("  dF/dx", text(by), "of SLSQP's solutions", [float(v) for v in own])
        costs = [float(p) / np.sum(LABELS == t) for p, t in zip(prices[-2:], CLASSES)]
        weights = np.where(LABELS < 0, *costs)
        machine = SVC(C=1.0, kernel="linear", tol=1e-10)
        machine.fit(TRAIN[:, :D] * LABELS[:, None], LABELS, sample_weight=weights)
        print("  scikit-learn's w", machine.coef_[0])
    # Both budgets are one more unknown.
    last = np.array([0.0] * (2 * N) + [-1.0, -1.0])[:, None]
    cost = np.array([0.0] * (D + 1 + N) + [1.0])
    right_hand = np.array([-1.0] * N + [0.0] * (N + 2))
    least = linprog(cost, A_ub=np.hstack([C, last]), b_ub=right_hand, bounds=(None, None))
    print("least budget", least.fun)


if __name__ == "__main__":
    main()
