#!/usr/bin/env python3
"""Runs the calls of the guide's page `coming_from`, and compares what they give with ours.

    python3 benches/peers/coming_from.py [--json]

Ours are the numbers of `solvers/examples/coming_from.rs`, which cargo builds and runs; all calls
are on its one small problem, in double precision. A library that this Python cannot import has `-`
in place of a difference. hypertorch is no package of the index: the folder of its repository is put on
PYTHONPATH. Exit codes: 0 done, 1 a relative difference above 1e-7 that is not known, or a call that
failed: it is named wrongly.
"""

import argparse
import importlib.metadata
import json
import os
import subprocess
import sys
import warnings

import calls_jax
import calls_torch

HERE = os.path.dirname(os.path.abspath(__file__))
TOLERANCE = 1e-7
# Calls that are named rightly and give another number, with the reason.
KNOWN = {
    ("betty-ml", 'Config(type="cg")'): "each direction is made of the residual before the last",
}


def ours():
    """What each of our calls gives: a list of numbers by name."""
    command = ["cargo", "run", "--quiet", "--release", "-p", "bilevel-solvers"]
    command += ["--example", "coming_from"]
    ran = subprocess.run(command, cwd=HERE, stdout=subprocess.PIPE, text=True)
    if ran.returncode != 0:
        sys.exit("cargo could not run the example: see above")
    return json.loads(ran.stdout)


def version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def difference(theirs, expected):
    """The largest difference of an entry, relative to the largest entry."""
    scale = max(map(abs, expected))
    if len(theirs) != len(expected):
        return float("inf")
    worst = [abs(a - b) / scale for a, b in zip(theirs, expected)]
    return max(w if w == w else float("inf") for w in worst)


def rows(expected):
    """For each call: library, version, the call, whose number of ours it is, and the difference."""
    for module in (calls_jax, calls_torch):
        for package, found, call, name, function in module.calls():
            row = {"library": package, "version": version(package), "call": call, "ours": name}
            if found:
                try:
                    row["difference"] = difference(function(), expected[name])
                except Exception as error:
                    row["failed"] = f"{type(error).__name__}: {error}".splitlines()[0]
            yield row


def main():
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--json", action="store_true", help="one JSON object a line")
    words = words.parse_args()
    warnings.simplefilter("ignore")
    wrong = 0
    for row in rows(ours()):
        off = row.get("difference", 0.0) > TOLERANCE
        why = KNOWN.get((row["library"], row["call"]))
        # One that is known and no longer off is to be taken from the list.
        bad = "failed" in row or ("difference" in row and off != bool(why))
        wrong += bad
        if words.json:
            print(json.dumps(row))
            continue
        shown = f"{row['difference']:.1e}" if "difference" in row else row.get("failed", "-")
        library = f"{row['library']} {row['version'] or ''}"
        remark = "  WRONG" if bad else f"  ({why})" if off else ""
        print(f"{library:20} {row['call']:52} {row['ours']:12} {shown}{remark}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
