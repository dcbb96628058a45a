#!/usr/bin/env python3
"""What the telemetry costs while nothing happens: an example is up, nobody asks it anything, and the engine is weighed with the
telemetry and then without it.

Prints minimum, median and maximum over windows of time: resident memory, the same with shared pages in parts, and the share
of one core, of the engine and of all of Wharf's processes. Exit status 1 if the telemetry adds more than was promised.
"""

import argparse
import os
import pathlib
import statistics
import sys
import time

from collectors import cpu_of, kilobytes
from stack import Stack

PROMISED_BYTES = 40_000_000
PROMISED_CPU = 0.01
MODE = "WHARF_TELEMETRY_MODE"


class Weighed:
    """The figures of one arrangement, one of each for every window."""

    def __init__(self):
        self.cpu, self.all_cpu, self.rss, self.pss, self.most = [], [], [], [], []

    def take(self, stack, seconds):
        """Weighs a stack that is up, for one window."""
        pids = {process["pid"]: process["role"] for process in stack.ps()["processes"]}
        engine = next(pid for pid, role in pids.items() if role == "engine")
        began, before = time.monotonic(), {pid: cpu_of(proc(pid, "stat")) for pid in pids}
        resident, proportional = [], []
        while time.monotonic() < began + seconds:
            time.sleep(min(5, max(0.1, began + seconds - time.monotonic())))
            resident.append(kilobytes(proc(engine, "status"), "VmRSS"))
            proportional.append(kilobytes(proc(engine, "smaps_rollup"), "Pss"))
        took = time.monotonic() - began
        used = {pid: (cpu_of(proc(pid, "stat")) - before[pid]) / took for pid in pids}
        self.cpu.append(used[engine])
        self.all_cpu.append(sum(used.values()))
        self.rss.append(statistics.median(resident))
        self.pss.append(statistics.median(proportional))
        self.most.append(kilobytes(proc(engine, "status"), "VmHWM"))


def proc(pid, file):
    return pathlib.Path(f"/proc/{pid}/{file}").read_text()


def row(what, values, unit, digits):
    figures = [f"{figure * unit:.{digits}f}" for figure in (min(values), statistics.median(values), max(values))]
    return f"| {what} | {' | '.join(figures)} |"


def report(name, weighed):
    return [
        row(f"{name}: RSS of the engine, MB", weighed.rss, 1e-6, 1),
        row(f"{name}: PSS of the engine, MB", weighed.pss, 1e-6, 1),
        row(f"{name}: its most RSS until then, MB", weighed.most, 1e-6, 1),
        row(f"{name}: CPU of the engine, % of a core", weighed.cpu, 100, 2),
        row(f"{name}: CPU of all processes of Wharf, % of a core", weighed.all_cpu, 100, 2),
    ]


def measure(options, mode, weighed):
    """Brings the example up in one mode, lets it come to rest, and weighs it in windows."""
    if mode is None:
        os.environ.pop(MODE, None)
    else:
        os.environ[MODE] = mode
    with Stack(options.example) as stack:
        stack.up()
        time.sleep(options.rest)
        for _ in range(options.windows):
            weighed.take(stack, options.seconds)
            print(f"  {mode or 'on'}: {weighed.rss[-1] / 1e6:.1f} MB, {weighed.cpu[-1] * 100:.2f}%", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--example", default="items")
    parser.add_argument("--seconds", type=float, default=120, help="of one window: several scrapes")
    parser.add_argument("--windows", type=int, default=5)
    parser.add_argument("--rest", type=float, default=45, help="seconds from ready to the first window")
    options = parser.parse_args()
    with_it, without = Weighed(), Weighed()
    measure(options, None, with_it)
    measure(options, "off", without)
    print("| what | min | median | max |\n| --- | --- | --- | --- |")
    print("\n".join(report("with telemetry", with_it) + report("without", without)))
    memory = statistics.median(with_it.rss) - statistics.median(without.rss)
    cpu = statistics.median(with_it.all_cpu) - statistics.median(without.all_cpu)
    print(f"\nthe telemetry costs {memory / 1e6:.1f} MB and {cpu * 100:.2f}% of a core")
    kept = memory <= PROMISED_BYTES and cpu <= PROMISED_CPU
    print("kept" if kept else f"NOT kept: at most {PROMISED_BYTES / 1e6:.0f} MB and {PROMISED_CPU:.0%} of a core")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
