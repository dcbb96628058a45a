#!/usr/bin/env python3
"""The store of log lines with 1 GiB of JSON lines: pushing them, what they take, and finding some of them again.

The lines are made up, always the same: 24 streams, each line with a trace id, a path, a duration. Each question is one of LogQL, asked
as the engine's API asks it, by a process of its own, so that its memory is its own, too. `zstdcat` with `grep` and `jq` answers the same
questions from one compressed file, and Loki, in the same words, if `--loki` names its program. CPU seconds count where the machine is
not quiet; the times are medians.

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
    questions = questions_of(made["lines"], needle)
    for what, title, query, form, _ in questions:
        took, cpus, peaks = [], [], []
        for _ in range(options.runs):
            out, cpu = run(program, "ask", store, query, str(made["lines"]), *form)
            answer = json.loads(out)
            took.append(answer["millis"])
            cpus.append(cpu)
            peaks.append(answer["peak"])
        took = statistics.median(took)
        kept &= max(peaks) < PROMISED_BYTES and (what != "needle" or took < PROMISED_MILLIS)
        table.row("wharf", title, found_of(form, answer["found"]), took / 1000, statistics.median(cpus), max(peaks))
    for _, title, _, _, script in questions:
        if script:
            found, took, cpu = pipe(f'zstdcat "$1" | {script}', packed)
            table.row("zstdcat, grep, jq", title, found, took, cpu)
    if options.loki:
        beside_loki(table, options.loki, folder, lines, questions, made)
    print("kept" if kept else "NOT kept: under 100 MB of memory, needles under 0.3 s")
    return 0 if kept else 1


def questions_of(lines, needle):
    """What is asked: its kind, its title, the query, what it is to be answered with, and what a shell does for it behind `zstdcat`."""
    hours = lines * STEP // 3_600_000_000_000 + 1
    everything, minutes = '{service=~".+"}', ("range", "60")
    # So many a second, summed over the minutes.
    bars = """cut -d: -f1-2 | sort | uniq -c | awk '{ s += $1 } END { printf "%.1f\\n", s / 60 }'"""
    return [
        ("needle", f"needle, a trace id ({needle})", f'{everything} |= "{needle}"', ("lines",), f"grep -cF {needle}"),
        ("needle", "needle that is nowhere", f'{everything} |= "{ABSENT}"', ("lines",), f"grep -cF {ABSENT} || true"),
        ("needle", "needle `abc-123`", f'{everything} |= "abc-123"', ("lines",), None),
        (
            "json",
            "status of 500 or more, one service",
            f'sum(count_over_time({{service="api"}} | json | status >= 500 [{hours}h]))',
            ("number",),
            """grep -F '"service":"api"' | jq -c 'select(.status >= 500)' | wc -l""",
        ),
        (
            "json",
            "status of 503",
            f'sum(count_over_time({everything} | json | status="503" [{hours}h]))',
            ("number",),
            "jq -c 'select(.status == 503)' | wc -l",
        ),
        (
            "json",
            "lines of one client",
            f'{everything} | json | client="10.1.2.3"',
            ("lines",),
            """jq -c 'select(.client == "10.1.2.3")' | wc -l""",
        ),
        (
            "json",
            "the longest request of one service each 5 minutes",
            'max(max_over_time({service="api"} | json | unwrap duration_ms [5m]) by (level))',
            ("range", "300"),
            """grep -F '"service":"api"' | jq -r '[.time[0:14] + (.time[14:16] | tonumber / 5 | floor | tostring), .duration_ms] | @tsv' |
                awk '$2 > m[$1] { m[$1] = $2 } END { for (t in m) s += m[t]; printf "%.1f\\n", s }'""",
        ),
        (
            "rate",
            "orders a second by level, each minute",
            f'sum by (level) (rate({everything} |= "/orders" [1m]))',
            minutes,
            f"""grep -F /orders | jq -r '.level + " " + .time' | {bars}""",
        ),
        (
            "rate",
            "orders a second by the status in JSON, each minute",
            f'sum by (status) (rate({everything} |= "/orders" | json [1m]))',
            minutes,
            f"""grep -F /orders | jq -r '(.status | tostring) + " " + .time' | {bars}""",
        ),
        (
            "rate",
            "lines a minute of 24 streams",
            f"sum by (level, service, replica) (count_over_time({everything}[1m]))",
            minutes,
            None,
        ),
        ("tail", "the last 1,000 lines", everything, ("lines", "1000"), None),
    ]


def found_of(form, found):
    """Lines, the number, or the sum of all numbers of a range, which others may cut at other moments."""
    return f"{found:,.1f}" if form[0] == "range" else f"{found:,.0f}"


def beside_loki(table, program, folder, lines, questions, made):
    place = folder / "loki"
    place.mkdir()
    end = START + made["lines"] * STEP
    with Loki(program, place) as loki:
        before, begin = loki.cpu(), time.perf_counter()
        with lines.open("rb") as file:
            loki.push(file, START, STEP)
        loki.flush()
        table.row("loki", "all lines pushed and flushed", made["lines"], time.perf_counter() - begin, loki.cpu() - before, loki.peak())
        stored = loki.stored()
        span = {"start": START, "end": end}
        for _, title, query, form, _ in questions:
            match form:
                case ("lines", *limit):
                    limit = limit[0] if limit else 5000
                    result, took, cpu = loki.query("query_range", query=query, limit=limit, **span)
                    found = sum(len(stream["values"]) for stream in result)
                case ("number",):
                    result, took, cpu = loki.query("query", query=query, time=end)
                    found = sum(float(series["value"][1]) for series in result)
                case (_, seconds):
                    result, took, cpu = loki.query("query_range", query=query, step=seconds, **span)
                    found = sum(float(value) for series in result for _, value in series["values"])
            table.row("loki", title, found_of(form, found), took, cpu, loki.peak())
    print(f"\nloki: {made['bytes'] / stored:.1f} to 1")


if __name__ == "__main__":
    sys.exit(main())
