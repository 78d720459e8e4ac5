"""Processes that time tasks: this project's worker, and one for each peer that is installed."""

import contextlib
import importlib.util
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


class Peer:
    """A system beside ours: the modules that it needs, and what the names of its groups begin with."""

    def __init__(self, name, modules, groups):
        self.name, self.modules, self.groups = name, modules, groups

    def does(self, group):
        return group.startswith(self.groups)

    def is_here(self):
        return all(importlib.util.find_spec(module) for module in self.modules)


# Each has a worker, NAME_worker.py.
PEERS = [
    Peer("jax", ["jax"], ("W", "aid", "itd", "iteration", "memory")),
    Peer("torch", ["torch"], ("W", "memory")),
    # Our own Python package: recorded in NumPy, run in Rust.
    Peer("bilevel", ["bilevel"], ("W1", "W2", "W3")),
    Peer("jaxopt", ["jax", "jaxopt"], ("aid", "itd")),
    Peer("optimistix", ["jax", "optimistix"], ("aid", "itd")),
    Peer("torchopt", ["torch", "torchopt"], ("aid", "itd")),
    Peer("higher", ["torch", "higher"], ("itd",)),
    Peer("numpy", ["numpy", "scipy"], ("dense",)),
]


# What keeps every library to AVX2 where the processor has more: ours, PyTorch with MKL and oneDNN, and
# NumPy with OpenBLAS. JAX has a flag, which its products in single precision by YNNPACK do not heed: they
# are left to Eigen.
AVX2 = {
    "BILEVEL_VECTORS": "narrow",
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4,AVX512_ICL,AVX512_SPR",
}
XLA_AVX2 = ["--xla_cpu_max_isa=AVX2", "--xla_cpu_experimental_ynn_fusion_type="]
# The vectors that workers may use.
VECTORS = ["widest", "avx2"]


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


def peers_of(groups):
    """The peers that do some of these groups."""
    return [peer for peer in PEERS if any(map(peer.does, groups))]


def absent(peers):
    """The names of those that this Python cannot import."""
    return [peer.name for peer in peers if not peer.is_here()]


def tasks(executable):
    """All tasks, each with its group and precisions."""
    listed = subprocess.run([executable, "tasks"], check=True, stdout=subprocess.PIPE)
    return json.loads(listed.stdout)


def write(executable, folder, groups):
    """Writes the inputs of groups."""
    subprocess.run([executable, "write", folder, *groups], check=True)


def cores():
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


class Worker:
    """A process on the first `threads` cores; used as a context."""

    def __init__(self, name, command, folder, dtype, threads, vectors):
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
            env=environment(threads, vectors),
            preexec_fn=pin,
            text=True,
        )
        self.version = self.receive()["version"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(BrokenPipeError):
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


def environment(threads, vectors="widest"):
    """This process's, with every library kept to as many threads, to the processor, and to its widest
    vectors or to AVX2, whatever was set before.
    """
    count = str(threads)
    flags = [f for f in os.environ.get("XLA_FLAGS", "").split() if "xla_cpu_max_isa" not in f]
    if threads == 1:
        flags.append("--xla_cpu_multi_thread_eigen=false")
    limits = {}
    if vectors == "avx2":
        flags += XLA_AVX2
        limits = AVX2
    return {
        **{key: value for key, value in os.environ.items() if key not in AVX2},
        **limits,
        "CUDA_VISIBLE_DEVICES": "",
        "JAX_PLATFORMS": "cpu",
        "MKL_NUM_THREADS": count,
        "NPROC": count,
        "OMP_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "RAYON_NUM_THREADS": count,
        "XLA_FLAGS": " ".join(flags),
    }


def start(name, executable, folder, dtype, threads, vectors):
    """The worker `ours`, or that of a peer."""
    command = [executable]
    command += ["worker"] if name == "ours" else []
    if name != "ours":
        command = [sys.executable, os.path.join(HERE, f"{name}_worker.py")]
    return Worker(name, command, folder, dtype, threads, vectors)


def team(stack, peers, executable, folder, dtype, threads, vectors="widest"):
    """Our worker, and those of the peers that start; `stack` ends them."""
    begin = lambda name: start(name, executable, folder, dtype, threads, vectors)
    yield stack.enter_context(begin("ours"))
    for peer in peers:
        try:
            yield stack.enter_context(begin(peer.name))
        except Failed as failed:
            complain(f"left out: {failed}")


def complain(text):
    print(f"{os.path.basename(sys.argv[0])}: {text}", file=sys.stderr, flush=True)
