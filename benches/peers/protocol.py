"""The peers' side of compare.py and memory.py: reads the inputs, answers the requests.

A peer has for each group of tasks a function that prepares one. It gets the group and the rest of
the task's name, and returns two functions without arguments: one that does the task once and waits
for its end, and one that gives the last result as a list of arrays, part by part, each in the order
of the variable that it belongs to. A third one may tell the bytes that a call holds: before it, where
that is known then.
"""

import argparse
import json
import os
import sys
import time

import numpy as np

# As in benches/benches/peers.rs.
REPETITION = 0.01


class Inputs:
    """The arrays of one folder, each read at its first use, in the precision of the computation."""

    def __init__(self, folder, dtype):
        self.folder = folder
        self.dtype = {"f32": np.float32, "f64": np.float64}[dtype]

    def __call__(self, group, *names):
        return [self.read(group, name) for name in names]

    def read(self, group, name):
        return np.load(os.path.join(self.folder, f"{group}.{name}.npy")).astype(self.dtype)

    def classes(self, group, name, count=10):
        """Labels as rows of an identity matrix."""
        return np.eye(count, dtype=self.dtype)[self.read(group, name).astype(int)]


def block(v, count=16):
    """The directions of a block, a row for each: shorter and shorter, their entries moved on."""
    return np.stack([np.roll(v, -k) / (k + 1) for k in range(count)]).astype(v.dtype)


def arguments():
    """The folder, the precision and the number of threads."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--dtype", choices=["f32", "f64"], required=True)
    parser.add_argument("--threads", type=int, required=True)
    return parser.parse_args()


def clock(call, count):
    """Seconds per call of `count` calls."""
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count


def repetitions(call, seconds):
    """Seconds per call of repetitions that take about `seconds` together, after a warm-up.

    A call that alone takes longer is its own: what it begins with is a small part of it.
    """
    estimate = max(clock(call, 1), 1e-9)
    if estimate >= seconds:
        return [estimate]
    if estimate < REPETITION:
        estimate = max(min(estimate, clock(call, 1)), 1e-9)
    count = min(max(int(np.ceil(REPETITION / estimate)), 1), 1_000_000)
    start = time.perf_counter()
    times = [clock(call, count)]
    while time.perf_counter() - start < seconds:
        times.append(clock(call, count))
    return times


def machine(bytes, dtype, side=1024, seconds=0.2):
    """Bytes a second read from so many, and operations a second of a product, by NumPy."""

    def best(call):
        call()
        start, least = time.perf_counter(), float("inf")
        while time.perf_counter() - start < seconds:
            least = min(least, clock(call, 1))
        return least

    vector = np.ones(max(int(bytes) // np.dtype(dtype).itemsize, 1), dtype)
    matrix, product = np.full((side, side), 0.5, dtype), np.empty((side, side), dtype)
    return {
        "bandwidth": vector.nbytes / best(lambda: np.dot(vector, vector)),
        "peak": 2 * side**3 / best(lambda: np.dot(matrix, matrix, out=product)),
    }


def write_result(path, parts):
    """Writes the parts one after the other as 64-bit floats; returns their lengths."""
    parts = [np.asarray(part, dtype="<f8").ravel() for part in parts]
    np.concatenate(parts).tofile(path)
    return [part.size for part in parts]


def prepare(name, groups):
    """The task of this name, by the function of the longest group that its name begins with."""
    fits = [group for group in groups if name.startswith(group + "-")]
    if not fits:
        raise ValueError(f"no task named {name}")
    group = max(fits, key=len)
    return (*groups[group](group, name[len(group) + 1 :]), lambda: None)[:3]


def serve(version, folder, groups):
    """Answers requests until standard input ends; what a task prints goes to standard error."""
    answers, sys.stdout = sys.stdout, sys.stderr
    prepared = {}
    print(json.dumps({"version": version}), file=answers, flush=True)

    def answer(request):
        if "machine" in request:
            return machine(request["machine"], Inputs(folder, arguments().dtype).dtype)
        name = request["task"]
        if name not in prepared:
            # The data of two tasks need not be there at once.
            prepared.clear()
            prepared[name] = prepare(name, groups)
        call, result, held = prepared[name]
        if request.get("predict"):
            return {"bytes": held()}
        if "seconds" in request:
            return {"seconds": repetitions(call, request["seconds"])}
        first = clock(call, 1)
        path = os.path.join(folder, request["result"])
        return {"first_call_s": first, "parts": write_result(path, result()), "bytes": held()}

    for line in sys.stdin:
        try:
            found = answer(json.loads(line))
        except Exception as error:  # The driver says which task failed, and why.
            prepared.clear()
            found = {"error": (f"{type(error).__name__}: {error}".splitlines() or [""])[0]}
        print(json.dumps(found), file=answers, flush=True)
