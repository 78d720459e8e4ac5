"""One task in one precision on one number of threads: its times, and the difference of the results."""

import array
import math
import os
import statistics
import sys

from workers import Failed, complain

TOLERANCES = {"f64": 1e-8, "f32": 1e-3}
# Stands for a difference that is no number, which JSON cannot say.
LARGEST = sys.float_info.max
# Of a spread above this, the rounds are taken once more.
WIDE = 0.1


def read_result(path, lengths):
    """The parts of a result."""
    numbers = array.array("d")
    with open(path, "rb") as file:
        numbers.frombytes(file.read())
    if sys.byteorder == "big":
        numbers.byteswap()
    parts, start = [], 0
    for length in lengths:
        parts.append(numbers[start : start + length])
        start += length
    return parts


def difference(ours, theirs):
    """The largest relative difference of a part; LARGEST if it is not a number."""
    if [len(a) for a in ours] != [len(b) for b in theirs]:
        return LARGEST
    largest = 0.0
    for a, b in zip(ours, theirs):
        apart = math.sqrt(math.fsum((p - q) ** 2 for p, q in zip(a, b)))
        scale = math.sqrt(math.fsum(q * q for q in b))
        relative = apart / scale if scale > 0.0 else apart
        largest = max(largest, relative if math.isfinite(relative) else LARGEST)
    return largest


def spread(times):
    """The middle half of the times, as a part of their median."""
    if len(times) < 2:
        return 0.0
    first, median, third = statistics.quantiles(times, n=4, method="inclusive")
    return (third - first) / median


class Row:
    """Times are those of one iteration, where a call makes several."""

    def __init__(self, task, dtype, threads, peers):
        self.task, self.dtype, self.threads, self.peers = task, dtype, threads, peers
        self.times, self.first, self.check = {}, {}, None
        self.iterations, self.cost, self.limit = 1, None, None

    def measure(self, team, folder, rounds, seconds, machine):
        """Prepares the task everywhere, compares the results, and takes the times in turns."""
        able = self.prepare(team, folder)
        self.times = {worker.name: [] for worker in able}
        self.rounds(rounds, able, seconds)
        if self.spread() > WIDE:
            self.rounds(rounds, able, seconds)
        self.limit = machine.limit(self.cost)

    def prepare(self, team, folder):
        """Does the task once everywhere; those that can."""
        results, able = {}, []
        for worker in team:
            file = f"result.{worker.name}"
            try:
                answer = worker.ask(task=self.task, result=file)
            except Failed as failed:
                self.lose(worker, failed)
                continue
            able.append(worker)
            if worker.name == "ours":
                self.iterations, self.cost = answer["iterations"], answer["cost"]
            self.first[worker.name] = answer["first_call_s"]
            results[worker.name] = read_result(os.path.join(folder, file), answer["parts"])
        ours = results.pop("ours")
        if results:
            self.check = max(difference(ours, theirs) for theirs in results.values())
        return able

    def rounds(self, count, able, seconds):
        for k in range(count):
            # Each is the first of a round in turn.
            for worker in able[k % len(able) :] + able[: k % len(able)]:
                self.time(worker, able, seconds)

    def time(self, worker, able, seconds):
        try:
            answer = worker.ask(task=self.task, seconds=seconds)
        except Failed as failed:
            self.lose(worker, failed)
            able.remove(worker)
            del self.times[worker.name]
            return
        self.times[worker.name].append(statistics.median(answer["seconds"]) / self.iterations)

    def lose(self, worker, failed):
        """Goes on without a peer; there is no row without ours."""
        if worker.name == "ours":
            raise failed
        complain(f"{self.task} {self.dtype}: {failed}")

    def seconds(self, name):
        return statistics.median(self.times[name]) if self.times.get(name) else None

    def ratio(self, peer):
        """The peer's time over ours."""
        return None if self.seconds(peer) is None else self.seconds(peer) / self.seconds("ours")

    def over_limit(self):
        """Our time over the machine's limit."""
        return None if self.limit is None else self.seconds("ours") / self.limit

    def spread(self):
        """The widest of those of all systems."""
        return max(map(spread, self.times.values()))

    def tolerance(self):
        """Twice the accuracy of whole calls, which are each as far from the exact one at most."""
        stated = 0.0
        if self.task.startswith(("aid-", "itd-")):
            stated = 2.0 * float(self.task.split("-", 1)[1])
        return max(stated, TOLERANCES[self.dtype])

    def wrong(self):
        return self.check is not None and self.check > self.tolerance()
