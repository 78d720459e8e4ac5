"""The solvers of a checkout of benchopt/benchmark_bilevel, run without benchopt.

What its solvers import of benchopt is a base class that keeps parameters and warms up, and is stood in for
here. Nothing of the benchmark is changed: a solver compiles `eval_freq` iterations as one scan, and calls
back between them.
"""

import contextlib
import importlib.util
import os
import sys
import time
import types

# Whose iterations are the benchmark's, by our names.
SOLVERS = ("soba", "saba", "srba", "amigo", "stocbio", "mrbo", "vrbo", "f2sa")


class BaseSolver:
    """What the solvers use of benchopt's."""

    def __init__(self, **parameters):
        unknown = set(parameters) - set(self.parameters)
        if unknown:
            raise ValueError(f"{self.name}: no parameters {', '.join(sorted(unknown))}")
        for name, values in self.parameters.items():
            setattr(self, name, parameters.get(name, values[0]))

    def run_once(self, stop_val):
        left = iter(range(stop_val))
        self.run(lambda: next(left, None) is not None)


class Benchmark:
    """A checkout, whose modules can be imported from now on."""

    def __init__(self, folder):
        if not os.path.isfile(os.path.join(folder, "benchmark_utils", "stochastic_jax_solver.py")):
            raise ValueError(f"{folder}: expected a checkout of benchopt/benchmark_bilevel")
        benchopt, criterion = types.ModuleType("benchopt"), types.ModuleType("benchopt.stopping_criterion")
        benchopt.BaseSolver, benchopt.BaseDataset = BaseSolver, object
        benchopt.safe_import_context = contextlib.nullcontext
        criterion.SufficientProgressCriterion = lambda **_: None
        # It draws with joblib's cache; the samples are ours.
        drawn = types.ModuleType("benchmark_utils.gen_matrices")
        drawn.gen_matrices = None
        for module in (benchopt, criterion, drawn):
            sys.modules[module.__name__] = module
        self.folder = os.path.abspath(folder)
        sys.path.insert(0, self.folder)

    def module(self, path):
        """A file of its, by its own name: other packages may have those of its folders."""
        path = os.path.join(self.folder, path)
        spec = importlib.util.spec_from_file_location(f"_{os.path.basename(path)[:-3]}", path)
        module = importlib.util.module_from_spec(spec)
        with contextlib.redirect_stdout(sys.stderr):
            spec.loader.exec_module(module)
        return module

    def solver(self, name, **parameters):
        return self.module(f"solvers/{name}.py").Solver(**parameters)


class Theirs:
    """Runs of a solver of the benchmark, `every` iterations from one report to the next."""

    def __init__(self, benchmark, name, objectives, problem, every, parameters):
        self.make = lambda seed: benchmark.solver(
            name, eval_freq=every, random_state=seed, **parameters
        )
        self.lower, self.upper = objectives
        self.problem, self.every = problem, every

    def run(self, seed, over):
        """Seconds and x at the start and at each report, until they are over."""
        import jax
        import jax.numpy as jnp

        solver, pairs, clock = self.make(seed), [], [0.0, None]
        x, y = jnp.asarray(self.problem.x), jnp.asarray(self.problem.y)
        samples = len(self.problem.lower[0]), len(self.problem.upper[0])

        def callback():
            jax.block_until_ready((solver.inner_var, solver.outer_var))
            now = time.perf_counter()
            clock[0] += now - (clock[1] or now)
            pairs.append((clock[0], jax.device_get(solver.outer_var)))
            more = not over(pairs)
            clock[1] = time.perf_counter()
            return more

        # It compiles here, and warms up by two calls.
        solver.set_objective(self.lower, self.upper, *samples, y, x)
        solver.run(callback)
        return pairs


class Ours:
    """Runs of a method of ours, `every` iterations from one report to the next."""

    def __init__(self, bl, method, settings, problem, every):
        self.problem = bl.Problem(*problem.ours(bl), x=problem.x, y=problem.y)
        self.method, self.settings, self.every = method, settings, every
        # What is recorded for a length of a batch is kept.
        self.run(0, lambda pairs: len(pairs) > 2)

    def run(self, seed, over):
        """As of :class:`Theirs`. The seconds are those of the records, which leave out what is measured
        for a report: F and ‖∇_y g‖ over all samples."""
        run = self.problem.run(
            self.method, iterations=10**9, report_every=self.every, seed=seed, **self.settings
        )
        pairs = [(0.0, self.problem.x)]
        for record in run:
            pairs.append((record["seconds"], run.x))
            self.calls = [record[key] / record["iteration"] for key in ("gradients", "hvps")]
            if over(pairs):
                break
        return pairs
