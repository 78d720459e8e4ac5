"""Runs: callbacks, saving, pickles; and what a process may do meanwhile."""

import contextlib
import gc
import io
import json
import os
import pickle
import resource
import signal
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path

import bilevel as bl
import numpy as np
import pytest


def upper(x, y):
    return 0.5 * np.sum((y - 1.0) ** 2) + 0.5 * np.sum(x**2)


def lower(x, y):
    return 0.5 * np.sum((y - x) ** 2) + 0.25 * np.sum(y**4)


def own(n=3):
    return bl.Problem(upper, lower, x=np.linspace(0.1, 0.5, n), y=n)


def test_a_callback_sees_each_record_and_stops_the_run():
    seen = []

    def three(run, record):
        seen.append((record["iteration"], run.x.copy()))
        return len(seen) < 3

    solution = own().solve("aid-cg", iterations=50, callback=three)
    assert [k for k, _ in seen] == [1, 2, 3] and solution.iterations == 3
    np.testing.assert_array_equal(seen[-1][1], solution.x)


def test_a_callback_that_raises_comes_out_as_it_is():
    def bad(run, record):
        raise LookupError("mine")

    p = own()
    with pytest.raises(LookupError, match="mine"):
        p.solve("aid-cg", iterations=5, callback=bad)
    assert p.last_run.solution().iterations == 1


def test_a_run_is_iterated_over():
    run = own().run("aid-cg", iterations=4)
    assert [r["iteration"] for r in run] == [1, 2, 3, 4]
    assert len(run.solution().trace) == 4


def test_what_a_run_is_worth_is_measured_with_the_lower_level_solved():
    p = bl.Problem(
        lambda x, y: 0.5 * np.sum((y - 1.0) ** 2) + 0.5 * np.sum(x**2),
        lambda x, y: 0.5 * np.sum((y - x) ** 2),
        x=np.zeros(2),
        y=2,
    )
    end = p.solve("aid-cg", optimiser="gd", rate=0.4, iterations=60)
    value = np.sum((end.x - 1.0) ** 2) / 2 + np.sum(end.x**2) / 2
    np.testing.assert_allclose(end.gain["end"]["value"], value, rtol=1e-12)
    assert end.gain["start"]["value"] == 1.0 and end.gain["warning"] is None
    assert end.gain["end"]["gradient_norm"] < 1e-6 and end.warnings == ()
    # Twice as far as the minimum is, and farther with each step.
    lost = p.solve("aid-cg", optimiser="gd", rate=1.2, iterations=3)
    assert lost.ok and "worth less" in lost.gain["warning"]
    assert lost.gain["warning"] in lost.warnings
    assert p.solve("aid-cg", iterations=3, worth=False).gain is None
    assert p.run("aid-cg", iterations=3).gain()["end"]["value"] == 1.0


@pytest.mark.parametrize("method", ["aid-cg", "soba"])
def test_a_run_goes_on_to_the_bit_from_where_it_was_saved(method, tmp_path):
    p = own()
    settings = {"iterations": 40, "report_every": 1} if method == "soba" else {"iterations": 10}
    whole = p.solve(method, **settings)
    run = p.run(method, **settings)
    for _ in range(4):
        next(run)
    run.save(tmp_path / "run")
    next(run)
    run.save(tmp_path / "run")  # The same run goes on in its folder.
    again = p.resume(tmp_path / "run")
    for _ in again:
        pass
    end = again.solution()
    np.testing.assert_array_equal(end.x, whole.x)
    assert [r["upper"] for r in end.trace] == [r["upper"] for r in whole.trace]
    other = bl.Problem(upper, lower, x=3, y=3, name="other")
    with pytest.raises(bl.RestoreError, match="other"):
        other.resume(tmp_path / "run")
    with pytest.raises(bl.RestoreError, match="another run"):
        p.run("gda" if method == "soba" else "itd").save(tmp_path / "run")
    with pytest.raises(bl.RestoreError, match="holds no run"):
        p.resume(tmp_path)


def test_the_program_goes_on_with_a_run_of_python_and_python_with_one_of_the_program(tmp_path):
    p = bl.problem("ridge")
    whole = p.solve("aid-cg", iterations=8)
    run = p.run("aid-cg", iterations=8)
    for _ in range(3):
        next(run)
    run.save(tmp_path / "a")
    ran = subprocess.run([sys.executable, "-m", "bilevel", "solve", "--resume", tmp_path / "a"],
                         capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    with np.load(tmp_path / "a" / "solution.npz") as solution:
        np.testing.assert_array_equal(solution["x"], whole.x)
    ran = subprocess.run(
        [sys.executable, "-m", "bilevel", "solve", "--problem", "ridge", "--method", "aid-cg",
         "--iterations", "8", "--out", tmp_path / "b", "--checkpoint-every", "1"],
        capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    again = p.resume(tmp_path / "b")
    for _ in again:
        pass
    np.testing.assert_array_equal(again.solution().x, whole.x)


class Watched(pickle.Unpickler):
    """Notes whose classes and functions a pickle asks for."""

    def __init__(self, text):
        super().__init__(io.BytesIO(text))
        self.asked = set()

    def find_class(self, module, name):
        self.asked.add(module.partition(".")[0])
        return super().find_class(module, name)


def test_a_pickle_of_a_problem_gives_the_same_to_the_bit_and_runs_no_code():
    calls = []

    def counted(x, y):
        calls.append(1)
        return lower(x, y)

    p = bl.Problem(upper, counted, x=np.linspace(0.1, 0.5, 3), y=3)
    made = len(calls)
    loading = Watched(pickle.dumps(p))
    again = loading.load()
    assert loading.asked <= {"bilevel", "numpy", "builtins"}, "nothing of this file"
    one, other = (q.hypergradient("aid-cg") for q in (p, again))
    np.testing.assert_array_equal(one.hypergradient, other.hypergradient)
    assert len(calls) == made
    named = pickle.loads(pickle.dumps(bl.problem("ridge", seed=2)))
    np.testing.assert_array_equal(
        named.hypergradient("exact").hypergradient,
        bl.problem("ridge", seed=2).hypergradient("exact").hypergradient,
    )


def test_results_are_pickled_and_shown():
    p = own()
    estimate = pickle.loads(pickle.dumps(p.hypergradient("aid-cg")))
    assert estimate.ok and "converged" in repr(estimate) and "<table>" in estimate._repr_html_()
    with pytest.raises(AttributeError):
        estimate.status = "other"
    table = p.compare(["exact", "aid-cg", "itd"])
    again = pickle.loads(pickle.dumps(table))
    assert str(again) == str(table) and "<td>aid-cg</td>" in again._repr_html_()
    with pytest.raises(ValueError, match="not of a pickle"):
        again.write_page("nowhere.html")


def test_tables_become_data_frames_plots_and_pages(tmp_path):
    p = own()
    table = p.memory([10, 100])
    frame = table.to_pandas()
    assert list(frame["depth"].unique()) == [10, 100]
    assert table.plot().get_ylabel() == "peak_bytes"
    with pytest.raises(ValueError, match="no number 'nonsense'"):
        table.plot("nonsense")
    for study in (table, p.compare(["exact", "itd"]), p.plan(50, budget="1MiB"), p.check(),
                  p.solve("aid-cg", iterations=3).trace):
        study.write_page(tmp_path / "page.html", "A page")
        assert "<title>A page" in (tmp_path / "page.html").read_text()
        assert len(study.lines()) == len(study)


def test_the_checker_passes_what_is_right():
    check = own().check().assert_passed()
    assert check.ok and any(r["verdict"] == "pass" for r in check)


def test_progress_is_shown(capsys):
    own().solve("aid-cg", iterations=3, progress=True)
    assert "3/3" in capsys.readouterr().err


def test_two_threads_use_one_problem_and_python_goes_on_meanwhile():
    p = own(50)
    want = p.hypergradient("itd", depth=2000).hypergradient
    results, ticks, done = [], [0], threading.Event()

    def work():
        for _ in range(5):
            results.append(p.hypergradient("itd", depth=2000).hypergradient)

    def tick():
        while not done.is_set():
            ticks[0] += 1
            time.sleep(0.001)

    clock = threading.Thread(target=tick)
    workers = [threading.Thread(target=work) for _ in range(2)]
    clock.start()
    for worker in workers:
        worker.start()
    before = ticks[0]
    p.hypergradient("itd", depth=400_000)
    assert ticks[0] > before + 3
    for worker in workers:
        worker.join()
    done.set()
    clock.join()
    assert len(results) == 10
    for got in results:
        np.testing.assert_array_equal(got, want)


def interrupted_after(seconds, call):
    """Seconds from the signal to the exception."""
    sent = []

    def ring(*_):
        sent.append(time.monotonic())
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        with pytest.raises(KeyboardInterrupt):
            call()
        # From when the signal came, which may be before its handler runs.
        return time.monotonic() - began_at[0] - seconds
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


began_at = [0.0]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers here")
@pytest.mark.parametrize(
    "what",
    ["itd", "aid", "compare", "memory", "check", "solve", "solve deep", "run", "callback", "saved", "sweep", "layer"],
)
def test_a_signal_is_obeyed_within_a_third_of_a_second(what, tmp_path):
    p = own(200)
    deep = {"depth": 10_000_000}
    calls = {
        "itd": lambda: p.hypergradient("itd-truncated:5", **deep),
        "aid": lambda: p.hypergradient("aid-neumann:100000000", step=1e-12),
        "compare": lambda: p.compare(["itd-truncated:5"], **deep),
        "memory": lambda: p.memory([10_000_000], ["truncated:3"]),
        "check": lambda: own(3000).check(strategies=True),
        "solve": lambda: p.solve("itd", iterations=1_000_000),
        "solve deep": lambda: p.solve("itd", iterations=3, depth=1_000_000),
        "run": lambda: [record for record in p.run("aid-cg", iterations=1_000_000)],
        "callback": lambda: p.solve("aid-cg", iterations=1_000_000, callback=lambda *_: None),
        "saved": lambda: saved(p, tmp_path / "run"),
        "sweep": lambda: bl.sweep(swept(tmp_path), tmp_path / "out"),
        "layer": lambda: bl.Lower(lower, x=200, y=200).call(np.zeros((4, 200)), "itd-truncated:5", **deep),
    }
    began_at[0] = time.monotonic()
    assert interrupted_after(0.3, calls[what]) < 0.3
    # What was interrupted is over: the processor is free.
    time.sleep(0.3)
    used = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - used < 0.2
    if what == "sweep" and Path("/proc/self/cmdline").exists():
        # The sweep has ended, and its runs.
        until = time.monotonic() + 20
        while left := processes(str(tmp_path)):
            assert time.monotonic() < until, left
            time.sleep(0.1)
    if what in ("solve", "callback"):
        assert len(p.last_run.solution().trace) > 0


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers here")
def test_a_run_that_a_signal_met_goes_on_or_says_that_it_cannot(tmp_path):
    p = own(200)
    run = p.run("aid-cg", iterations=2000)
    assert interrupted_after(0.1, lambda: list(run)) < 1
    made = len(run.solution().trace)
    assert made > 0
    run.save(tmp_path / "run")
    rest = list(run)
    whole = p.solve("aid-cg", iterations=2000)
    assert made + len(rest) == 2000
    np.testing.assert_array_equal(run.solution().x, whole.x)
    deep = p.run("itd", iterations=3, depth=3_000_000)
    interrupted_after(0.2, lambda: next(deep))
    for use in (lambda: next(deep), deep.solution, lambda: deep.save(tmp_path / "deep")):
        with pytest.raises(bl.errors.RestoreError, match="in the middle of an iteration"):
            use()
    # It is held, and its thread is over all the same.
    time.sleep(0.2)
    used = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - used < 0.1


def processes(of):
    """The command lines of processes in which this stands."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [line for line in found if of in line]


def saved(p, folder):
    """A run that is saved after each of its records."""
    run = p.run("aid-cg", iterations=1_000_000)
    for _ in run:
        run.save(folder)


SWEEP = """
seeds = [0]
[base]
problem = "ridge"
method = "aid-cg"
iterations = 10000000
"""


def swept(folder):
    """A file of a sweep whose runs take long."""
    file = folder / "sweep.toml"
    file.write_text(SWEEP)
    return file


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no signals here")
@pytest.mark.parametrize(
    "command",
    ["compare --problem ridge --strategy itd-truncated:5 --depth 10000000",
     "solve --problem ridge --method itd --depth 1000000",
     "memory --problem ridge --depths 10000000 --policy truncated:3"],
)
def test_a_signal_ends_the_program_within_a_third_of_a_second(command):
    process = subprocess.Popen(
        [sys.executable, "-m", "bilevel", *command.split()], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    time.sleep(1.0)
    assert process.poll() is None, process.communicate()
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert time.monotonic() - began < 0.3
    assert process.returncode in (-signal.SIGINT, 128 + signal.SIGINT)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_after_a_computation_warns():
    code = (
        "import os, warnings, numpy as np, bilevel as bl\n"
        "warnings.simplefilter('always')\n"
        "p = bl.problem('ridge'); p.hypergradient('aid-cg')\n"
        "pid = os.fork()\n"
        "if pid == 0: os._exit(0)\n"
        "os.waitpid(pid, 0)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "spawn" in ran.stderr, ran.stderr


def test_spawned_processes_work():
    import concurrent.futures
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        p = own()
        far = pool.submit(bl.Problem.hypergradient, p, "aid-cg").result()
    np.testing.assert_array_equal(far.hypergradient, p.hypergradient("aid-cg").hypergradient)


def test_nothing_leaks_over_ten_thousand_calls():
    p = own()
    big = np.ones((300, 300))
    for _ in range(200):
        p.hypergradient("aid-cg")
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(10_000):
        p.hypergradient("aid-cg")
    for _ in range(300):
        bl.Problem(upper, lambda x, y: np.sum((big[:3, :3] @ y - x) ** 2), x=3, y=3)
        bl.record(lambda y: np.sum(big @ y), 300)
    gc.collect()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 30_000  # kilobytes; each of the recordings holds 720.


def test_a_problem_and_its_functions_are_freed():
    def f(x, y):
        return np.sum((y - x) ** 2)

    function, p = weakref.ref(f), bl.Problem(upper, f, x=2, y=2)
    problem = weakref.ref(p)
    p.solve("aid-cg", iterations=2)
    del f, p
    gc.collect()
    assert function() is None and problem() is None


def test_a_sweep_of_a_problem_has_a_record_for_each_method_value_and_seed():
    p = own()
    runs = p.sweep(["aid-cg", "itd"], seeds=[0, 1], rate=[0.1, 0.2], iterations=3)
    assert len(runs) == 8 and runs.ok and len(runs.solutions) == 8
    assert [(r["method"], r["rate"], r["seed"]) for r in runs][:3] == [
        ("aid-cg", 0.1, 0), ("aid-cg", 0.1, 1), ("aid-cg", 0.2, 0)]
    alone = p.solve("itd", seed=1, rate=0.2, iterations=3)
    np.testing.assert_array_equal(runs.solutions[-1].x, alone.x)
    assert runs[-1]["upper"] == alone.trace[-1]["upper"]
    assert "rate" in str(runs) and "<table" in runs._repr_html_() and len(runs.to_pandas()) == 8
    assert json.loads(runs.lines()[0])["method"] == "aid-cg"
    with pytest.raises(ValueError, match=r"solutions\[k\]"):
        runs.write_page("page.html")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda p: p.sweep(["aid-cg", "aid-cgg"]), "aid-cgg"),
        (lambda p: p.sweep("aid-cg", rate=[0.1, -1.0]), "rate"),
        (lambda p: p.sweep("aid-cg", rate=[]), "rate: an empty list"),
        (lambda p: p.sweep("aid-cg", seeds=[]), "seed: an empty list"),
    ],
)
def test_a_sweep_that_does_not_fit_is_refused_before_its_first_run(call, words):
    p = own()
    with pytest.raises((bl.ConfigError, ValueError), match=words):
        call(p)
    assert not hasattr(p, "last_sweep")


def test_the_runs_of_a_sweep_that_is_interrupted_are_kept(monkeypatch):
    p = own()
    solve = p.solve

    def interrupted(method, **settings):
        if settings["seed"] == 2:
            raise KeyboardInterrupt
        return solve(method, **settings)

    monkeypatch.setattr(p, "solve", interrupted)
    with pytest.raises(KeyboardInterrupt):
        p.sweep("aid-cg", seeds=range(5), iterations=2)
    assert [settings["seed"] for settings, _ in p.last_sweep] == [0, 1]
