"""Whole calls to a stated accuracy: each peer takes the loosest setting that gives it, as ours does.

`settings` as in benches/src/workloads/calls.rs; the accuracy is the relative error of the hypergradient
against the exact one.
"""

import numpy as np

TOLERANCES = [10.0**-digits for digits in range(1, 15)]
DEPTHS = [2**power for power in range(4, 13)]

# The error of each setting, for the next accuracy to begin at.
_errors = {}


def accurate(key, accuracy, settings, make, exact):
    """The call of the first of the settings that gives this accuracy, and its last result.

    `make` gives for a setting a function that returns the hypergradient as an array.
    """
    for setting in settings:
        if _errors.get((key, setting), 0.0) > float(accuracy):
            continue
        hypergradient, last = make(setting), [None]

        def call():
            last[0] = hypergradient()

        call()
        error = np.linalg.norm(last[0] - exact) / np.linalg.norm(exact)
        _errors[key, setting] = error
        if error <= float(accuracy):
            return call, lambda: [np.asarray(last[0])]
    raise ValueError(f"no setting gives an accuracy of {accuracy}")
