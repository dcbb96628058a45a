#!/usr/bin/env python3
"""From the command to the first answer: `wharf up -d` of the items example, built already; and the memory it then needs.

Prints minimum, median and maximum over the runs, and the proportional set size (PSS) of Wharf's own processes.
Exit status 1 if the median is over a second or the memory over 40 MB: what the project promises.
"""

import argparse
import http.client
import statistics
import sys
import time

import figures
from stack import Stack

PROMISED_SECONDS = 1.0
PROMISED_BYTES = 40_000_000


def first_answer(stack):
    """Waits for the first 200 through the ingress."""
    deadline = time.monotonic() + 30
    while True:
        connection = http.client.HTTPConnection(*stack.address(), timeout=10)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        if time.monotonic() > deadline:
            raise SystemExit("no 200 from /health within 30 s of `wharf up -d`")
        time.sleep(0.005)


def pss_bytes(pid):
    """Memory of a process, shared pages counted in parts (proc(5), smaps_rollup)."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--idle", type=float, default=5.0, help="seconds of rest before memory is read")
    options = parser.parse_args()
    with Stack() as stack:
        print(f"building and warming up with {stack.wharf}", flush=True)
        stack.up()
        stack.run("down")
        took = []
        for _ in range(options.runs):
            begin = time.perf_counter()
            stack.up()
            first_answer(stack)
            took.append(time.perf_counter() - begin)
            print(f"  {took[-1] * 1000:.0f} ms", flush=True)
            memory = {}
            if len(took) == options.runs:
                time.sleep(options.idle)
                for process in stack.ps()["processes"]:
                    memory.setdefault(process["role"], []).append(pss_bytes(process["pid"]))
            stack.run("down")
    total = sum(map(sum, memory.values()))
    print(f"command to first 200 (min / median / max of {options.runs}): {figures.spread(took)}")
    for role, sizes in sorted(memory.items()):
        print(f"PSS of {len(sizes)} x {role}: {sum(sizes) / 1e6:.1f} MB")
    print(f"PSS of all of Wharf's own processes: {total / 1e6:.1f} MB")
    kept = statistics.median(took) < PROMISED_SECONDS and 0 < total < PROMISED_BYTES
    print("kept" if kept else f"NOT kept: a median under {PROMISED_SECONDS:.0f} s and under {PROMISED_BYTES / 1e6:.0f} MB")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
