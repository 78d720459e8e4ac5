"""What the machine can do: its name, how fast it reads and multiplies, and the limit that follows."""

import os
import platform

from workers import Failed

# Instruction sets of x86 from the widest vectors down, by the flag that tells of them.
WIDTHS = [("avx512f", "AVX-512"), ("avx2", "AVX2"), ("avx", "AVX"), ("sse2", "SSE2")]


def processor():
    """The processor's name, and the widest vectors that it has."""
    about = {}
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as file:
            for line in file:
                key, _, value = line.partition(":")
                about.setdefault(key.strip(), value.strip())
    name = about.get("model name") or platform.processor() or platform.machine()
    if "cpu family" in about:
        name += f" (family {about['cpu family']}, model {about.get('model', '?')})"
    flags = about.get("flags", "").split()
    wide = [set for flag, set in WIDTHS if flag in flags]
    return name, wide[0] if wide else platform.machine()


def in_use(vectors):
    """The set that workers use which are kept to their `widest` vectors or to `avx2`."""
    return "AVX2" if vectors == "avx2" else processor()[1]


class Machine:
    """Rates of one precision on one number of threads, each measured when it is first needed, and the
    instruction set that they are of.

    Our worker and one that has NumPy try; the faster counts, and is named.
    """

    def __init__(self, team, set):
        self.team, self.set, self.bandwidths, self.peak = team, set, {}, (0.0, None)

    def bandwidth(self, bytes):
        """Bytes a second of reading so many again and again, and whose loop it was."""
        if bytes not in self.bandwidths:
            found = [(self.ask(worker, int(bytes)), worker.name) for worker in self.team]
            self.bandwidths[bytes] = max((answer["bandwidth"], name) for answer, name in found)
            self.peak = max([self.peak, *((answer["peak"], name) for answer, name in found)])
        return self.bandwidths[bytes]

    def ask(self, worker, bytes):
        """The rates by one worker: 0 by a peer that has ended."""
        try:
            return worker.ask(machine=bytes)
        except Failed:
            if worker.name == "ours":
                raise
            return {"bandwidth": 0.0, "peak": 0.0}

    def limit(self, cost):
        """The least seconds that a task of this cost takes; None where it has none."""
        if cost is None:
            return None
        bandwidth, _ = self.bandwidth(cost["resident"])
        return max(cost["read"] / bandwidth, cost["flops"] / self.peak[0])

    def lines(self):
        """What was measured, in words."""
        if not self.bandwidths:
            return []
        rates = [
            f"{bytes / 1e6:.3g} MB at {rate / 1e9:.3g} GB/s ({name})"
            for bytes, (rate, name) in sorted(self.bandwidths.items())
        ]
        product = f"product of 1024×1024 at {self.peak[0] / 1e9:.3g} GFLOP/s ({self.peak[1]})"
        return [f"{product}; reading " + ", ".join(rates)]
