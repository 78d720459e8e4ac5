"""Processes that time tasks: this project's worker, and one for each peer that is installed."""

import importlib.util
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = ("jax", "torch")


class Failed(Exception):
    """What a worker could not do, in one line."""


def build():
    """The path of this project's worker, built by cargo."""
    command = ["cargo", "bench", "--no-run", "--package", "bilevel-benches", "--bench", "peers"]
    command += ["--message-format=json"]
    built = subprocess.run(command, cwd=HERE, stdout=subprocess.PIPE, text=True)
    if built.returncode != 0:
        raise Failed("cargo could not build the worker: see above")
    for line in built.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == "peers":
            return message["executable"]
    raise Failed("cargo built no executable named peers")


def installed():
    """The peers that this Python can import, and those it cannot."""
    here = [peer for peer in PEERS if importlib.util.find_spec(peer)]
    return here, [peer for peer in PEERS if peer not in here]


def cores():
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


class Worker:
    """A process on the first `threads` cores; used as a context."""

    def __init__(self, name, command, folder, dtype, threads):
        self.name = name
        mine = set(cores()[:threads])

        def pin():
            if hasattr(os, "sched_setaffinity"):
                os.sched_setaffinity(0, mine)

        command = [*command, folder, "--dtype", dtype, "--threads", str(threads)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **environment(threads)},
            preexec_fn=pin,
            text=True,
        )
        self.version = self.receive()["version"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()

    def ask(self, **request):
        """The answer to a request."""
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Failed(f"{self.name}: the worker has ended") from None
        return self.receive()

    def receive(self):
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"{self.name}: the worker has ended")
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(f"{self.name}: {answer['error']}")
        return answer


def environment(threads):
    """Variables that keep every library to as many threads, and to the processor."""
    count = str(threads)
    flags = os.environ.get("XLA_FLAGS", "")
    if threads == 1:
        flags += " --xla_cpu_multi_thread_eigen=false"
    return {
        "CUDA_VISIBLE_DEVICES": "",
        "JAX_PLATFORMS": "cpu",
        "MKL_NUM_THREADS": count,
        "NPROC": count,
        "OMP_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "RAYON_NUM_THREADS": count,
        "XLA_FLAGS": flags.strip(),
    }


def start(name, executable, folder, dtype, threads):
    """The worker `ours`, or that of a peer."""
    command = [executable]
    command += ["worker"] if name == "ours" else []
    if name != "ours":
        command = [sys.executable, os.path.join(HERE, f"{name}_worker.py")]
    return Worker(name, command, folder, dtype, threads)
