#!/usr/bin/env python3
"""Times this project beside its peers on the same inputs, compares the results, and says what the
machine could do.

    python3 benches/peers/compare.py [--quick] [--json] [--threads 1,2] [--dtypes f64,f32] [--only W1,...]
                                     [--rounds 7] [--vectors widest]

Needs cargo and this Python (3.9 or later, its standard library); the peers that it can import are
timed: JAX and PyTorch, our own Python package (`bilevel`), for whole calls JAXopt, Optimistix, TorchOpt and higher, and for those through a
dense Hessian NumPy with SciPy's Cholesky. For each precision and number of threads there is one process
of ours and one of each peer, on the same cores. They take turns, one measuring at a time, in several
rounds; a time is the median of the rounds, and they are taken once more where their spread, the middle
half over the median, is above a tenth. Compilation, and the
linearisation of the linearised products, are not in it. Rows are in sections, by the peers that they
have.

A ratio is a peer's time over ours: above 1 we are faster. The limit is max(bytes / bandwidth, flops /
peak): the bandwidth is that of reading as many bytes as the workload's data have, the peak that of a
product of matrices, each by the fastest of our worker and NumPy. `check_difference` is the largest
relative difference between our result and a peer's, in the Euclidean norm of each part of the result.

Exit codes: 0 done; 1 a difference above the tolerance (1e-8 in f64, 1e-3 in f32, twice the accuracy of a
whole call) or something of ours that failed; 2 bad usage.
"""

import argparse
import contextlib
import subprocess
import sys
import tempfile

import table
import workers
from machine import Machine, in_use, processor
from row import TOLERANCES, Row
from workers import Failed, complain

# What --quick leaves out: large, or much the same as what is left.
LARGE = (
    *("W1-big", "W1-big-vars", "W3-block16", "W4-W1-K1000", "W4-softmax-K1000", "W6"),
    *("aid-1e-6", "aid-1e-10", "itd"),
    *("iteration-softmax", "iteration-quadratics", "iteration-logistic-stocbio"),
)


def names(choices):
    """A parser of lists of these names."""

    def parse(text):
        chosen = text.split(",")
        for name in chosen:
            if name not in choices:
                raise argparse.ArgumentTypeError(f"{name}: expected some of {','.join(choices)}")
        return chosen

    return parse


def count(text):
    """A whole number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: expected a whole number from 1 on")
    return int(text)


def arguments():
    first, rest = __doc__.split("\n\n", 1)
    parser = argparse.ArgumentParser(
        description=first,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds, no large workloads")
    parser.add_argument("--json", action="store_true", help="a JSON object for each row")
    threads = [str(n) for n in range(1, len(workers.cores()) + 1)]
    default = threads[:2]
    parser.add_argument("--threads", type=names(threads), default=default, help="default: 1,2")
    parser.add_argument("--dtypes", type=names(list(TOLERANCES)), default=["f64", "f32"])
    parser.add_argument("--only", default="", help="workloads, or what their names begin with")
    parser.add_argument("--rounds", type=count, help="default: 7, 3 if quick")
    parser.add_argument(
        "--vectors",
        choices=workers.VECTORS,
        default="widest",
        help="avx2: as on a processor that has no wider ones (default: widest)",
    )
    return parser, parser.parse_args()


def chosen(tasks, args):
    """The tasks to time."""
    begins = lambda task, name: task["task"] == name or task["task"].startswith(name + "-")
    if args.quick:
        tasks = [t for t in tasks if not any(begins(t, name) for name in LARGE)]
    if args.only:
        only = args.only.split(",")
        tasks = [t for t in tasks if any(begins(t, name) for name in only)]
    return tasks


class Failures:
    """Rows of ours that could not be made; the run goes on."""

    count = 0

    def of(self, row, failed):
        self.count += 1
        complain(f"{row.task} {row.dtype}: no row: {failed}")


def section(args, dtype, threads, tasks, team, folder, failures):
    """Prints and gives the rows of one precision and number of threads as they come."""
    rounds, seconds = (3, 0.04) if args.quick else (7, 0.1)
    rounds = args.rounds or rounds
    # Ours, and one with NumPy.
    machine, above = Machine(team[:2], in_use(args.vectors)), None
    for task in tasks:
        peers = [peer.name for peer in workers.peers_of([task["group"]])]
        row = Row(task["task"], dtype, threads, peers)
        mine = [worker for worker in team if worker.name in ("ours", *peers)]
        try:
            row.measure(mine, folder, rounds, seconds, machine)
        except Failed as failed:
            failures.of(row, failed)
            continue
        if args.json:
            print(table.record(row, [peer.name for peer in workers.PEERS], machine), flush=True)
        else:
            if peers != above:
                print(f"\n{table.header(peers)}")
            above = peers
            print(table.line(row), flush=True)
        yield row
    for line in machine.lines():
        print(f"{dtype}, threads {threads}: {line}", file=words(args), flush=True)


def words(args):
    """Where to say what is no row."""
    return sys.stderr if args.json else sys.stdout


def about(vectors):
    """The processor, its widest vectors, and those in use if they are others."""
    name, widest = processor()
    limited = "" if in_use(vectors) == widest else f", all kept to {in_use(vectors)}"
    return f"{name}, {widest}{limited}"


def run(args, tasks, executable, folder, failures):
    """Prints the rows as they come, then the means; gives the rows."""
    rows, peers = [], workers.peers_of([task["group"] for task in tasks])
    absent = workers.absent(peers)
    if absent:
        complain(f"not installed, and left out: {', '.join(absent)}")
    here = [peer for peer in peers if peer.name not in absent]
    print(about(args.vectors), file=words(args), flush=True)
    for dtype in args.dtypes:
        able = [task for task in tasks if dtype in task["dtypes"]]
        for threads in map(int, args.threads):
            with contextlib.ExitStack() as stack:
                team = workers.team(stack, here, executable, folder, dtype, threads, args.vectors)
                rows += section(args, dtype, threads, able, list(team), folder, failures)
    for line in table.mean_lines(rows):
        print(line, file=words(args), flush=True)
    return rows


def main():
    parser, args = arguments()
    if args.vectors == "avx2" and processor()[1] not in ("AVX-512", "AVX2"):
        parser.error(f"--vectors avx2: this processor has {processor()[1]}")
    failures = Failures()
    try:
        executable = workers.build()
        tasks = chosen(workers.tasks(executable), args)
        if not tasks:
            parser.error(f"--only {args.only}: no such workload")
        with tempfile.TemporaryDirectory(prefix="peers-") as folder:
            workers.write(executable, folder, sorted({task["group"] for task in tasks}))
            rows = run(args, tasks, executable, folder, failures)
    except (Failed, OSError, subprocess.CalledProcessError) as failed:
        complain(failed)
        return 1
    wrong = [row for row in rows if row.wrong()]
    if wrong:
        worst = max(wrong, key=lambda row: row.check / row.tolerance())
        complain(
            f"{len(wrong)} results differ by more than the tolerance, the worst {worst.task} "
            f"{worst.dtype} by {worst.check:.1e}: expected at most {worst.tolerance():.0e}"
        )
    return 1 if wrong or failures.count else 0


if __name__ == "__main__":
    sys.exit(main())
