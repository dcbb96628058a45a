#!/usr/bin/env python3
"""Wharf's telemetry beside Prometheus: the same targets, the same samples, this machine, one run of the one and one of the other.

- scrape: samples that a CPU second takes in while it scrapes, and the memory meanwhile.
- memory: the memory with many more series, scraped at the usual interval.
- write:  the same samples by remote write; then `kill -9`, and the time from the start to the first right answer.
- disk:   what this machine's node_exporter tells, captured while everything else runs, replayed 15 seconds apart: bytes a sample.
- query:  questions of dashboards over a day of samples, loaded by remote write; both have to answer the same.

Exit status 1 if a goal is missed: half the memory, twice the samples a CPU second, no query slower, no more bytes a sample, no
later start. Figures are medians (least-greatest), ratios the medians of pairs.
"""

import argparse
import contextlib
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

from collectors import Prometheus, Wharf, differences, size_of
from loki import free_port
from stack import ROOT

PARTS = ["scrape", "memory", "write", "disk", "query"]
TARGET_SERIES = 1000
# A block is made of what is older than three hours of samples: two hours, and one more. Before that all is in the log.
STEP, LOG_CAPTURES, CAPTURES = 15, 600, 770
BLOCK_SECONDS = 7200

# What dashboards ask: the query, and the seconds from point to point (none: at one time, the last).
QUERIES = [
    ("sum(rate(http_requests_total[5m]))", 60),
    ("sum by (status) (rate(http_requests_total[5m]))", 60),
    ("histogram_quantile(0.99, sum by (le) (rate(request_duration_seconds_bucket[5m])))", 60),
    ("histogram_quantile(0.9, sum by (le, route) (rate(request_duration_seconds_bucket[5m])))", 300),
    ("topk(5, sum by (endpoint, target) (rate(http_requests_total[5m])))", 300),
    ('avg_over_time(pool_connections{state="active"}[10m])', 300),
    ("sum by (target) (pool_connections)", 60),
    ('sum(increase(http_requests_total{status=~"5.."}[1h])) / sum(increase(http_requests_total[1h]))', 300),
    ("max by (pool) (max_over_time(pool_connections[1h]))", None),
    ("sum by (endpoint) (increase(http_requests_total[24h]))", None),
]


class Goals:
    """A table of figures beside figures, and whether what was promised held."""

    def __init__(self):
        self.missed = []
        self.rows = []

    def row(self, what, wharf, prometheus, unit=1, digits=2, most=None, least=None):
        """Two lists of as many figures; the ratio of pairs may be so much at `most`, or has to be so much at `least`."""
        ratio = statistics.median(own / peer for own, peer in zip(wharf, prometheus, strict=True))
        goal, held = "", ""
        if most is not None or least is not None:
            kept = ratio <= most if most is not None else ratio >= least
            goal = f"at most {most:g}" if most is not None else f"at least {least:g}"
            held = "yes" if kept else "NO"
            if not kept:
                self.missed.append(what)
        figures = [spread([value / unit for value in values], digits) for values in (wharf, prometheus)]
        self.rows.append(f"| {what} | {figures[0]} | {figures[1]} | {ratio:.2f} | {goal} | {held} |")
        print(self.rows[-1], flush=True)

    def table(self):
        return "\n".join(["| what | wharf | Prometheus | ratio | goal | held |", "| --- | --- | --- | --- | --- | --- |", *self.rows])


def spread(values, digits):
    middle = f"{statistics.median(values):,.{digits}f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):,.{digits}f}-{max(values):,.{digits}f})"


def note(text):
    print(f"  {text}", flush=True)


class Targets:
    """The program that is scraped."""

    def __init__(self, program):
        self.process = subprocess.Popen([program, f"127.0.0.1:{free_port()}", str(TARGET_SERIES)], stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def some(self, series):
        return [f"{self.url}/targets/{n}/metrics" for n in range(max(1, series // TARGET_SERIES))]


class Captures(threading.Thread):
    """What node_exporter tells of this machine, in a file for each time that it was asked."""

    def __init__(self, program, folder, pause):
        super().__init__(daemon=True)
        self.folder, self.pause = folder, pause
        self.folder.mkdir()
        self.ended = threading.Event()
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/metrics"
        self.process = subprocess.Popen([program, f"--web.listen-address=127.0.0.1:{port}"], stderr=subprocess.DEVNULL)
        self.count = 0

    def run(self):
        due = time.monotonic()
        while self.count < CAPTURES and not self.ended.is_set():
            with contextlib.suppress(OSError), urllib.request.urlopen(self.url, timeout=10) as answer:
                (self.folder / f"{self.count:05}").write_bytes(answer.read())
                self.count += 1
            due = max(due + self.pause, time.monotonic())
            self.ended.wait(due - time.monotonic())

    def stop(self):
        self.ended.set()
        self.join()
        self.process.kill()
        self.process.wait()


class Bench:
    """The programs, a folder for each measurement, and the figures."""

    def __init__(self, options, folder):
        examples = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "examples"
        self.programs = {name: examples / name for name in ("collector", "exposition", "write_samples")}
        for program in self.programs.values():
            if not program.is_file():
                raise SystemExit(f"{program} is not there; `just bench-tsdb` builds it")
        self.options, self.folder = options, folder
        self.goals = Goals()
        self.places = 0

    def servers(self):
        """One of each, with empty folders."""
        self.places += 1
        place = self.folder / str(self.places)
        return [Wharf(self.programs["collector"], place), Prometheus(self.options.prometheus, place)]

    def each(self, runs, measure):
        """Measures new servers, one after the other and the other way round the next time: {name: the figures of each run}."""
        found = {"wharf": [], "prometheus": []}
        for run in range(runs):
            servers = self.servers()
            for server in servers if run % 2 == 0 else servers[::-1]:
                found[server.name].append(measure(server))
                server.remove()
        return [list(zip(*found[name], strict=True)) for name in ("wharf", "prometheus")]

    def write(self, server, *arguments):
        """Sends samples; how many were acknowledged."""
        command = [self.programs["write_samples"], f"127.0.0.1:{server.port}", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"writing samples to {server.name} failed: {done.stderr}")
        return int(done.stdout)

    def scraped(self, server, targets, interval, warm, seconds):
        """Samples a CPU second and memory while it scrapes."""
        server.scrape(targets, interval)
        with server:
            deadline = time.monotonic() + 60 + 3 * interval / 1000
            while server.number('sum(up{job="bench"})') != len(targets):
                if time.monotonic() > deadline:
                    raise SystemExit(f"{server.name} does not reach all of its {len(targets)} targets")
                time.sleep(0.5)
            time.sleep(warm)
            began, before = time.time(), server.cpu()
            memory = server.watch(seconds)
            ended, cpu = time.time(), server.cpu() - before
            window = f"[{(ended - began) * 1000:.0f}ms]"
            samples = server.number(f"sum(sum_over_time(scrape_samples_post_metric_relabeling{window}))", ended)
            due = len(targets) * server.number("max(scrape_samples_scraped)", ended) * (ended - began) * 1000 / interval
            if not samples or samples < 0.9 * due:
                note(f"{server.name} took {samples} samples where {due:.0f} were due: the machine is too busy for this")
        note(f"{server.name}: {samples:,.0f} samples in {cpu:.2f} CPU s, {memory[0] / 1e6:,.0f} MB")
        return samples / cpu, *memory

    def scrape(self, targets):
        options = self.options
        print(f"scrape: {options.series:,} series every second", flush=True)
        urls = targets.some(options.series)
        wharf, peer = self.each(options.runs, lambda server: self.scraped(server, urls, 1000, 5, options.seconds))
        self.goals.row("scraped samples a CPU second, thousands", wharf[0], peer[0], 1e3, 0, least=2)
        self.memory_rows(f"{options.series:,} series scraped every second", wharf, peer)

    def memory_rows(self, what, wharf, peer):
        for index, name in enumerate(["RSS", "PSS"], 1):
            self.goals.row(f"{name}, {what}, MB", wharf[index], peer[index], 1e6, 0, most=0.5)
        self.goals.row(f"most RSS, {what}, MB", wharf[3], peer[3], 1e6, 0)

    def memory(self, targets):
        options = self.options
        print(f"memory: {options.many_series:,} series every {STEP} s", flush=True)
        urls = targets.some(options.many_series)
        wharf, peer = self.each(1, lambda server: self.scraped(server, urls, STEP * 1000, STEP, options.memory_seconds))
        self.memory_rows(f"{options.many_series:,} series scraped every {STEP} s", wharf, peer)

    def written(self, server):
        """Samples a CPU second by remote write; seconds and CPU seconds until it answers after it was killed."""
        options = self.options
        targets = max(1, options.series // TARGET_SERIES)
        start = int(time.time()) // STEP * STEP - (options.steps + 2) * STEP
        end = start + (options.steps + 1) * STEP
        question = f"sum(count_over_time(http_requests_total[1h] @ {end}))"
        with server:
            # What is new the first time is known afterwards, as it is for a sender that has been there for long.
            self.write(server, "generate", targets, TARGET_SERIES, start, STEP, 2)
            before = server.cpu()
            samples = self.write(server, "generate", targets, TARGET_SERIES, start + 2 * STEP, STEP, options.steps)
            cpu = server.cpu() - before
            log = size_of(server.data() / "wal")
            right = server.number(question)
            server.stop(signal.SIGKILL)
            took = server.start(question)
            again = server.cpu()
            found = server.number(question)
            if found != right or right != targets * (TARGET_SERIES // 3) * (options.steps + 2):
                raise SystemExit(f"{server.name} lost samples when it was killed: {found} of {right} are left")
        note(f"{server.name}: {samples:,} samples in {cpu:.2f} CPU s; started in {took:.2f} s from {log / 1e6:.0f} MB of log")
        return samples / cpu, took, again, log / samples

    def remote_write(self, _targets):
        options = self.options
        print(f"write: {options.steps} samples of {options.series:,} series, then kill -9", flush=True)
        wharf, peer = self.each(options.runs, self.written)
        self.goals.row("remotely written samples a CPU second, thousands", wharf[0], peer[0], 1e3, 0, least=2)
        self.goals.row("start after kill -9 until the first answer, s", wharf[1], peer[1], most=1)
        self.goals.row("its CPU seconds", wharf[2], peer[2])

    def disk(self, captures):
        """Both with the captured metrics, still running: there is a block soon."""
        print(f"disk: {CAPTURES} scrapes of node_exporter", flush=True)
        while captures.is_alive():
            note(f"{captures.count} of {CAPTURES} captures")
            captures.join(20)
        captures.stop()
        rest = captures.folder.with_name("rest")
        rest.mkdir()
        for path in sorted(captures.folder.iterdir())[LOG_CAPTURES:]:
            path.rename(rest / path.name)
        start = (int(time.time()) - CAPTURES * STEP) // BLOCK_SECONDS * BLOCK_SECONDS
        servers, logs = self.servers(), []
        for server in servers:
            server.start()
            samples = self.write(server, "replay", captures.folder, start, STEP)
            logs.append([size_of(server.data() / "wal") / samples])
            self.write(server, "replay", rest, start + LOG_CAPTURES * STEP, STEP)
        self.goals.row("bytes a sample in the log, host metrics", *logs)
        return servers

    def disk_rows(self, servers):
        sizes = []
        for server in servers:
            blocks = server.blocks().values()
            sizes.append([sum(size for size, _ in blocks) / sum(samples for _, samples in blocks)])
            note(f"{server.name}: {len(blocks)} blocks of {sum(samples for _, samples in blocks):,} samples")
            server.stop()
        self.goals.row("bytes a sample in blocks, index included, host metrics", *sizes, digits=3, most=1)

    def load(self):
        """Both with a day of samples, still running."""
        options = self.options
        count = options.hours * 3600 // STEP
        start = (int(time.time()) - count * STEP) // BLOCK_SECONDS * BLOCK_SECONDS
        print(f"query: {options.hours} h of {options.query_series:,} series", flush=True)
        servers = self.servers()
        for server in servers:
            server.start()
            begin = time.perf_counter()
            samples = self.write(server, "generate", options.query_series // 100, 100, start, STEP, count)
            note(f"{server.name}: {samples:,} samples in {time.perf_counter() - begin:.0f} s")
        # Beside the samples' own times: what is exactly at the begin of a range counts for Prometheus 2 and not for 3.
        return servers, start + STEP // 2, start + (count - 2) * STEP + STEP // 2

    def query(self, servers, start, end):
        for server in servers:
            samples = sum(samples for _, samples in server.blocks().values())
            note(f"{server.name}: {len(server.blocks())} blocks of {samples:,} samples")
        for query, step in QUERIES:
            how = {"query": query, "time": end} if step is None else {"query": query, "start": start, "end": end, "step": step}
            path = "query" if step is None else "query_range"
            took = {server.name: [] for server in servers}
            answers = [server.answer(path, **how)[0] for server in servers]
            different = differences(*answers)
            if different:
                raise SystemExit(f"the answers to {query} differ: {different}")
            for run in range(self.options.query_runs):
                for server in servers if run % 2 == 0 else servers[::-1]:
                    took[server.name].append(server.answer(path, **how)[1])
            title = f"`{query}`, " + ("once" if step is None else f"step {step} s") + ", ms"
            self.goals.row(title.replace("|", "\\|"), took["wharf"], took["prometheus"], 1e-3, 1, most=1)
        for server in servers:
            server.stop()

    def settle(self, servers):
        """Waits until nothing more becomes of the blocks: both look after them every minute."""
        names, since = None, time.monotonic()
        until = since + 600
        while time.monotonic() < min(since + 70, until) or not all(names):
            if time.monotonic() > until:
                raise SystemExit("a server has made no block within ten minutes")
            present = [sorted(server.blocks()) for server in servers]
            if present != names:
                names, since = present, time.monotonic()
            time.sleep(1)

    def all(self, parts):
        capturing, running = None, []
        try:
            if "disk" in parts:
                capturing = Captures(self.options.node_exporter, self.folder / "captures", self.options.capture)
                capturing.start()
            with Targets(self.programs["exposition"]) as targets:
                for part, measure in [("scrape", self.scrape), ("memory", self.memory), ("write", self.remote_write)]:
                    if part in parts:
                        measure(targets)
            disk, loaded = None, None
            if "disk" in parts:
                disk = self.disk(capturing)
                running += disk
            if "query" in parts:
                loaded = self.load()
                running += loaded[0]
            if running:
                note("waiting for blocks")
                self.settle(running)
            if disk:
                self.disk_rows(disk)
            if loaded:
                self.query(*loaded)
        finally:
            for server in running:
                if server.process.poll() is None:
                    server.stop(signal.SIGKILL)
            if capturing:
                capturing.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; none: all of them")
    parser.add_argument("--prometheus", default=shutil.which("prometheus"), metavar="PROGRAM", help="Debian's, if nothing is said")
    parser.add_argument("--node-exporter", default=shutil.which("prometheus-node-exporter"), metavar="PROGRAM")
    parser.add_argument("--series", type=int, default=100_000, help="that are scraped every second, and written")
    parser.add_argument("--many-series", type=int, default=1_000_000, help="whose memory is measured")
    parser.add_argument("--seconds", type=int, default=20, help="of one run of scraping")
    parser.add_argument("--memory-seconds", type=int, default=60, help="of the run with many series")
    parser.add_argument("--steps", type=int, default=60, help="samples of each series that are written")
    parser.add_argument("--hours", type=int, default=24, help="that are asked about: 4 at least, so that there are blocks")
    parser.add_argument("--query-series", type=int, default=2_000)
    parser.add_argument("--query-runs", type=int, default=7)
    parser.add_argument("--capture", type=float, default=1.0, metavar="SECONDS", help="from one look at this machine to the next")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    parts = options.parts or PARTS
    if unknown := set(parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    if not options.prometheus:
        raise SystemExit("prometheus is not installed: apt-get install prometheus, or --prometheus PROGRAM")
    if "disk" in parts and not options.node_exporter:
        raise SystemExit("node_exporter is not installed: apt-get install prometheus-node-exporter")
    version = subprocess.run([options.prometheus, "--version"], capture_output=True, text=True, check=True)
    print((version.stdout + version.stderr).splitlines()[0])
    # So that nothing is left running then, either.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="wharf-bench-") as folder:
        bench = Bench(options, pathlib.Path(folder))
        bench.all(parts)
    print(f"\n{bench.goals.table()}\n")
    print(f"NOT kept: {'; '.join(bench.goals.missed)}" if bench.goals.missed else "kept")
    return 1 if bench.goals.missed else 0


if __name__ == "__main__":
    sys.exit(main())
