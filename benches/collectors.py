"""Wharf's telemetry alone and Prometheus, as `tsdb.py` starts, feeds, asks and weighs them."""

import contextlib
import http.client
import json
import math
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import time
import urllib.parse

from loki import free_port

PATIENCE = 180


def cpu_of(stat):
    """Seconds that a process has computed, from its /proc/PID/stat."""
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def kilobytes(text, name):
    """A figure of /proc/PID/status or smaps_rollup, in bytes."""
    return int(re.search(rf"^{name}:\s+(\d+) kB", text, re.M)[1]) * 1024


def size_of(folder):
    """Bytes of all files below a folder; those that go meanwhile do not count."""
    total = 0
    for path in pathlib.Path(folder).rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def series_of(answer):
    """The data of an answer as {labels: {time: value}}."""
    found = {}
    for series in answer["result"]:
        points = series["values"] if "values" in series else [series["value"]]
        labels = tuple(sorted(series["metric"].items()))
        found[labels] = {float(time): float(value) for time, value in points}
    return found


def differences(one, other):
    """How two answers differ, apart from the last digits: a sentence, or nothing."""
    one, other = series_of(one), series_of(other)
    if one.keys() != other.keys():
        return f"{len(one)} series and {len(other)}, {len(one.keys() & other.keys())} of them the same"
    for labels, points in one.items():
        if points.keys() != other[labels].keys():
            return f"{dict(labels)} has {len(points)} points and {len(other[labels])}"
        for at, value in points.items():
            peer = other[labels][at]
            if not (math.isnan(value) and math.isnan(peer)) and not math.isclose(value, peer, rel_tol=1e-9):
                return f"{dict(labels)} at {at} is {value} and {peer}"
    return None


class Server:
    """A server with a folder of its own, which stays when it is stopped."""

    def __init__(self, program, folder):
        self.program, self.folder = program, pathlib.Path(folder) / self.name
        self.folder.mkdir(parents=True)
        self.process = self.connection = None
        self.port = 0
        self.targets, self.interval = [], 15_000

    def scrape(self, targets, interval):
        """What it scrapes from its next start on: URLs, milliseconds."""
        self.targets, self.interval = targets, interval

    def start(self, question="1"):
        """Starts it; the seconds until it has answered a question."""
        self.port = free_port()
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        self.prepare()
        begin = time.perf_counter()
        with open(self.folder.parent / f"{self.name}.log", "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log)
        while time.perf_counter() - begin < PATIENCE:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.ask("query", query=question)[0] == 200:
                    return time.perf_counter() - begin
            self.connection.close()
            if self.process.poll() is not None:
                raise SystemExit(f"{self.name} ended with {self.process.returncode}: see {log.name}")
            time.sleep(0.005)
        raise SystemExit(f"{self.name} does not answer within {PATIENCE} s")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self, how=signal.SIGTERM):
        self.connection.close()
        self.process.send_signal(how)
        self.process.wait(PATIENCE)

    def remove(self):
        shutil.rmtree(self.folder)

    def ask(self, path, **parameters):
        self.connection.request("GET", f"/api/v1/{path}?{urllib.parse.urlencode(parameters)}")
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def answer(self, path, **parameters):
        """The data of an answer, and the seconds until it was here."""
        begin = time.perf_counter()
        status, body = self.ask(path, **parameters)
        took = time.perf_counter() - begin
        if status != 200:
            raise SystemExit(f"{self.name} answers {status} to {parameters}: {body[:300]!r}")
        return json.loads(body)["data"], took

    def number(self, query, at=None):
        """The value of a query that has one; none, if it has nothing."""
        data, _ = self.answer("query", query=query, **({} if at is None else {"time": at}))
        return float(data["result"][0]["value"][1]) if data["result"] else None

    def proc(self, file):
        return pathlib.Path(f"/proc/{self.process.pid}/{file}").read_text()

    def cpu(self):
        return cpu_of(self.proc("stat"))

    def watch(self, seconds):
        """The memory during so many seconds: the median of what is resident, the same with shared pages in parts, and the most."""
        resident, proportional = [], []
        end = time.monotonic() + seconds
        while not resident or time.monotonic() < end:
            resident.append(kilobytes(self.proc("status"), "VmRSS"))
            proportional.append(kilobytes(self.proc("smaps_rollup"), "Pss"))
            time.sleep(max(0, min(0.5, end - time.monotonic())))
        return statistics.median(resident), statistics.median(proportional), max(resident)

    def blocks(self):
        """{name: (bytes, samples)} of every block."""
        found = {}
        for meta in self.data().glob("*/meta.json"):
            with contextlib.suppress(FileNotFoundError):
                samples = json.loads(meta.read_text())["stats"]["numSamples"]
                found[meta.parent.name] = (size_of(meta.parent), samples)
        return found


class Wharf(Server):
    """The telemetry of Wharf, without the rest."""

    name = "wharf"

    def prepare(self):
        (self.folder.parent / "targets").write_text("".join(f"{url}\n" for url in self.targets))

    def command(self):
        targets = [self.folder.parent / "targets"] if self.targets else []
        return [self.program, self.folder, f"127.0.0.1:{self.port}", str(self.interval), *targets]

    def data(self):
        return self.folder / "metrics"


class Prometheus(Server):
    """Prometheus with its defaults, and remote write switched on."""

    name = "prometheus"

    def prepare(self):
        jobs = []
        for number, url in enumerate(self.targets):
            parts = urllib.parse.urlsplit(url)
            labels = {"__metrics_path__": parts.path, "target": str(number)}
            jobs.append({"targets": [parts.netloc], "labels": labels})
        config = {
            "global": {"scrape_interval": f"{self.interval}ms"},
            "scrape_configs": [{"job_name": "bench", "static_configs": jobs}] if jobs else [],
        }
        # Every JSON is YAML.
        (self.folder.parent / "prometheus.yml").write_text(json.dumps(config))

    def command(self):
        return [
            self.program, f"--config.file={self.folder.parent / 'prometheus.yml'}", f"--storage.tsdb.path={self.folder}",
            f"--web.listen-address=127.0.0.1:{self.port}", "--web.enable-remote-write-receiver", "--log.level=error",
        ]

    def data(self):
        return self.folder
