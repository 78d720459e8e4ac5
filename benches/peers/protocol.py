"""The peers' side of compare.py: reads the inputs, answers the requests.

A peer has for each group of tasks a function that prepares one. It gets the group and the rest of
the task's name, and returns two functions without arguments: one that does the task once and waits
for its end, and one that gives the last result as a list of arrays, part by part, each in the order
of the variable that it belongs to.
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
    """Seconds per call of repetitions that take about `seconds` together, after a warm-up."""
    estimate = max(min(clock(call, 1), clock(call, 1)), 1e-9)
    count = min(max(int(np.ceil(REPETITION / estimate)), 1), 1_000_000)
    start = time.perf_counter()
    times = [clock(call, count)]
    while time.perf_counter() - start < seconds:
        times.append(clock(call, count))
    return times


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
    return groups[group](group, name[len(group) + 1 :])


def serve(version, folder, groups):
    """Answers requests until standard input ends; what a task prints goes to standard error."""
    answers, sys.stdout = sys.stdout, sys.stderr
    prepared = {}
    print(json.dumps({"version": version}), file=answers, flush=True)
    for line in sys.stdin:
        try:
            request = json.loads(line)
            name = request["task"]
            if name not in prepared:
                # The data of two tasks need not be there at once.
                prepared.clear()
                prepared[name] = prepare(name, groups)
            call, result = prepared[name]
            if "result" in request:
                answer = {"first_call_s": clock(call, 1)}
                path = os.path.join(folder, request["result"])
                answer["parts"] = write_result(path, result())
            else:
                answer = {"seconds": repetitions(call, request["seconds"])}
        except Exception as error:  # The driver says which task failed, and why.
            answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
        print(json.dumps(answer), file=answers, flush=True)
