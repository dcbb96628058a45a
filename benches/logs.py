#!/usr/bin/env python3
"""The store of log lines with 1 GiB of JSON lines: pushing them, what they take, and finding some of them again.

The lines are made up, always the same: 24 streams, each line with a trace id, a path, a duration. Each question is asked by a
process of its own, so that its memory is its own, too. `zstdcat` with `grep` and `jq` answers the same questions from one compressed
file, and Loki if `--loki` names its program. CPU seconds count where the machine is not quiet; the times are medians.

Exit status 1 if pushing or a question takes 100 MB of memory, or a needle 0.3 s: what the project promises.
"""

import argparse
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

from loki import Loki
from stack import ROOT

PROMISED_BYTES = 100e6
PROMISED_MILLIS = 300
START, STEP = 1_767_225_600_000_000_000, 7_300_000
# Nobody logged this.
ABSENT = "00000000000000000000000000000abc"


def cpu_of_children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run(*command):
    """What a program prints, and the CPU seconds that it took."""
    before = cpu_of_children()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))} failed: {done.stderr}")
    return done.stdout, cpu_of_children() - before


def pipe(script, *arguments):
    """The same for a pipe of the shell, with the seconds that passed."""
    begin = time.perf_counter()
    out, cpu = run("sh", "-c", script, "sh", *arguments)
    return out.strip(), time.perf_counter() - begin, cpu


class Table:
    """Rows of who did what."""

    def __init__(self):
        print("| who | what | found | ms | CPU ms | peak MB |")
        print("| --- | --- | --- | --- | --- | --- |")

    def row(self, who, what, found, seconds, cpu, peak=None):
        peak = f"{peak / 1e6:.0f}" if peak else ""
        print(f"| {who} | {what} | {found} | {seconds * 1000:,.0f} | {cpu * 1000:,.0f} | {peak} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bytes", type=int, default=1 << 30)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--loki", help="the program of Loki, to be measured beside")
    options = parser.parse_args()
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    program = target / "release" / "examples" / "logs_load"
    if not program.exists():
        raise SystemExit(f"{program} is not there; `just bench-logs` builds it")
    with tempfile.TemporaryDirectory(prefix="wharf-bench-") as folder:
        return measure(program, pathlib.Path(folder), options)


def measure(program, folder, options):
    lines = folder / "lines.json"
    made = json.loads(run(program, "generate", str(options.bytes), lines)[0])
    size = made["bytes"]
    print(f"{size / 1e6:,.0f} MB, {made['lines']:,} lines")
    store = folder / "store"
    out, cpu = run(program, "ingest", store, lines)
    pushed = json.loads(out)
    kept = pushed["peak"] < PROMISED_BYTES
    print(
        f"wharf: pushed {size / 1e6 / cpu:.0f} MB per CPU second ({cpu:.1f} s), "
        f"{pushed['stored'] / 1e6:.0f} MB stored, {size / pushed['stored']:.1f} to 1, "
        f"{pushed['files']} files, peak {pushed['peak'] / 1e6:.0f} MB"
    )
    packed = folder / "lines.zst"
    cpu = run("zstd", "-q", "-3", "-T1", lines, "-o", packed)[1]
    print(f"zstd -3: {size / 1e6 / cpu:.0f} MB per CPU second, {size / packed.stat().st_size:.1f} to 1")
    with lines.open(encoding="utf-8") as file:
        needle = next(line for n, line in enumerate(file) if n == made["lines"] // 2).split('"trace_id":"')[1][:32]

    print()
    table = Table()
    questions = [
        ("needle", f"needle, a trace id ({needle})", needle),
        ("needle", "needle that is nowhere", ABSENT),
        ("needle", "needle `abc-123`", "abc-123"),
        ("json", "status of 500 or more, one service", None),
        ("rate", "lines a minute of 24 streams", None),
        ("tail", "the last 1,000 lines", None),
    ]
    for what, title, text in questions:
        took, cpus, peaks = [], [], []
        for _ in range(options.runs):
            out, cpu = run(program, "ask", store, what, *([text] if text else []))
            answer = json.loads(out)
            took.append(answer["millis"])
            cpus.append(cpu)
            peaks.append(answer["peak"])
        took = statistics.median(took)
        kept &= max(peaks) < PROMISED_BYTES and (what != "needle" or took < PROMISED_MILLIS)
        table.row("wharf", title, answer["found"], took / 1000, statistics.median(cpus), max(peaks))
    peers(table, packed, needle)
    if options.loki:
        beside_loki(table, options.loki, folder, lines, needle, made)
    print("kept" if kept else "NOT kept: under 100 MB of memory, needles under 0.3 s")
    return 0 if kept else 1


def peers(table, packed, needle):
    scripts = [
        ("needle", 'zstdcat "$1" | grep -cF "$2"', [needle]),
        ("needle that is nowhere", 'zstdcat "$1" | grep -cF "$2" || true', [ABSENT]),
        (
            "status of 500 or more, one service",
            """zstdcat "$1" | grep -F '"service":"api"' | jq -c 'select(.status >= 500)' | wc -l""",
            [],
        ),
    ]
    for title, script, arguments in scripts:
        found, took, cpu = pipe(script, packed, *arguments)
        table.row("zstdcat, grep, jq", title, found, took, cpu)


def beside_loki(table, program, folder, lines, needle, made):
    place = folder / "loki"
    place.mkdir()
    end = START + made["lines"] * STEP
    hours = (end - START) // 3_600_000_000_000 + 1
    with Loki(program, place) as loki:
        before, begin = loki.cpu(), time.perf_counter()
        with lines.open("rb") as file:
            loki.push(file, START, STEP)
        loki.flush()
        table.row("loki", "all lines pushed and flushed", made["lines"], time.perf_counter() - begin, loki.cpu() - before, loki.peak())
        stored = loki.stored()
        span = {"start": START, "end": end, "limit": 5000}
        for title, text in [("needle, a trace id", needle), ("needle that is nowhere", ABSENT)]:
            result, took, cpu = loki.query("query_range", query=f'{{service=~".+"}} |= "{text}"', **span)
            table.row("loki", title, sum(len(stream["values"]) for stream in result), took, cpu, loki.peak())
        errors = f'sum(count_over_time({{service="api"}} | json | status >= 500 [{hours}h]))'
        result, took, cpu = loki.query("query", query=errors, time=end)
        found = result[0]["value"][1] if result else 0
        table.row("loki", "status of 500 or more, one service", found, took, cpu, loki.peak())
        rate = 'sum by (level, service, replica) (count_over_time({service=~".+"}[1m]))'
        result, took, cpu = loki.query("query_range", query=rate, step=60, **span)
        found = sum(int(value) for series in result for _, value in series["values"])
        table.row("loki", "lines a minute of 24 streams", found, took, cpu, loki.peak())
    print(f"\nloki: {made['bytes'] / stored:.1f} to 1")


if __name__ == "__main__":
    sys.exit(main())
