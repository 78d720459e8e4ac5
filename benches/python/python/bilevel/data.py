"""Data files and sweeps, as the program reads them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from . import _bilevel
from ._arrays import Array
from .errors import ConfigError, NumericalWarning
from .names import natural

__all__ = ["Samples", "Splits", "load", "sweep"]


@dataclass(frozen=True)
class Samples:
    """Samples, one a row, with their labels."""

    features: Array
    labels: Array

    def __iter__(self) -> Iterator[Array]:
        return iter((self.features, self.labels))

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Splits:
    """A file that is split: the lower level trains, the upper level validates."""

    train: Samples
    valid: Samples
    test: Samples | None
    #: How the file was read.
    read: str


def load(
    path: str | os.PathLike[str],
    seed: int = 0,
    *,
    labels: Literal["as-written", "signs", "classes", "targets"] = "as-written",
    **reading: Any,
) -> Splits:
    """A data file (CSV, LIBSVM or ``.npz``, or a pair of ``.npy``), split as ``--data FILE`` splits it.

    ``reading`` says how: ``header``, ``first_index``, ``format``, ``keep_index``, ``standardise``.
    """
    parts, read = _bilevel.load(os.fspath(path), natural(seed, "seed"), labels, reading_as(reading))
    made = [Samples(f.reshape(n, -1), t) for f, n, t in parts]
    return Splits(made[0], made[1], made[2] if len(made) > 2 else None, read)


def reading_as(reading: dict[str, Any]) -> dict[str, Any]:
    """Settings of a reader as files have them."""
    if isinstance(reading.get("header"), bool):
        return {**reading, "header": "yes" if reading["header"] else "no"}
    return reading


def sweep(
    file: str | os.PathLike[str], out: str | os.PathLike[str], *, jobs: int | None = None
) -> list[dict[str, Any]]:
    """Runs a file of configurations, each with several seeds, as ``bilevel sweep`` does, in processes of
    their own; what is done in the folder ``out`` is not done again. A record for each configuration."""
    command = [sys.executable, "-m", "bilevel", "sweep", os.fspath(file), "--out", os.fspath(out), "--json"]
    if jobs is not None:
        command += ["--jobs", str(jobs)]
    code, out, messages = _ran(command)
    last = (messages.strip().splitlines() or [""])[-1].removeprefix("bilevel: ")
    if code == 1:
        warnings.warn(last, NumericalWarning, stacklevel=2)
    elif code != 0:
        raise ConfigError(last)
    return [json.loads(line) for line in out.splitlines()]


@contextlib.contextmanager
def _held_back() -> Iterator[None]:
    """Holds SIGINT back, also in a process that is started here: while an interpreter begins, what a
    signal raises is lost in some import. ``python -m bilevel`` takes it when it is ready."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ran(command: list[str]) -> tuple[int, str, str]:
    """The exit code, the output and the messages of a process, which is told to stop where this one is."""
    pipe = subprocess.PIPE
    # In a group of its own: a signal from the keyboard reaches it once, from here.
    with _held_back():
        process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
    try:
        while True:
            try:
                # In short waits, since one that is interrupted goes on for a while.
                out, messages = process.communicate(timeout=0.05)
            except subprocess.TimeoutExpired:
                continue
            return process.returncode, out, messages
    except BaseException:
        # It asks its own runs to stop after the iteration under way, and saves them.
        process.send_signal(signal.SIGINT)
        threading.Thread(target=process.communicate, daemon=True).start()
        raise
