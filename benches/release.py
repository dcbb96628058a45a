#!/usr/bin/env python3
"""A hundred releases in a row of the items example, under load that must not notice.

The load is a foreign program (traffic.py): keep-alive connections at a fixed rate, WebSocket echoes, slow streams.
Each release changes VERSION. After each, every replica's pid has changed, and /health through the ingress shows the new
version from every one of the new pids. Prints the time of a release, and the latency beside a steady phase.

With --kill-engine, the engine is killed (SIGKILL) at random moments and started again, all the while: then a release
may also be reverted, but none may be stuck, and every request's trace id has to be found in the service's log.

Exit status 1 if a request failed, a socket broke before its drain limit, or an assertion did not hold.
"""

import argparse
import http.client
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time

import figures
from stack import Failed, Stack
from traffic import RELEASES, STEADY, Traffic

# How long a rollout that was interrupted may take to finish or revert, and a log line to reach its file.
SETTLE_SECONDS = 120
# A socket's close may be seen a little before its deadline: two clocks, and the way there.
TOLERANCE_SECONDS = 0.5


def ask_health(address):
    """Version and pid of whoever answers, over a fresh connection."""
    connection = http.client.HTTPConnection(*address, timeout=60)
    try:
        connection.request("GET", "/health")
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise Failed(f"/health: {answer.status} {body[:200]!r}")
        health = json.loads(body)
        return health["version"], health["pid"]
    finally:
        connection.close()


def visible(address, pids):
    """The versions that /health shows until each of `pids` has answered."""
    seen, versions = set(), set()
    for _ in range(200):
        version, pid = ask_health(address)
        seen.add(pid)
        versions.add(version)
        if seen >= pids:
            break
    if seen != pids:
        raise Failed(f"replicas {sorted(pids)} are ready, but {sorted(seen)} answered")
    return versions


def settled(stack):
    """Waits until every wanted replica is ready and of one release. Their pids."""
    deadline = time.monotonic() + SETTLE_SECONDS
    last = "nothing"
    while time.monotonic() < deadline:
        try:
            project = stack.ps()
            service = next(one for one in project["services"] if one["name"] == stack.service)
            replicas = [one for one in service["replicas"] if one["state"] == "ready"]
            own = {one["pid"] for one in replicas if one["release"] == service["release"]}
            last = f"{project['state']}, {service}"
            if project["state"] == "ready" and len(own) == len(replicas) == service["desired"]:
                return own
        except (Failed, ValueError, KeyError, StopIteration) as error:
            last = str(error)
        time.sleep(0.2)
    raise Failed(f"the rollout is stuck after {SETTLE_SECONDS} s: {last}")


class Killer(threading.Thread):
    """Kills the engine every few seconds, and starts it again."""

    def __init__(self, stack, chance, pause):
        super().__init__(daemon=True)
        self.stack = stack
        self.random = chance
        self.pause = pause
        self.ended = threading.Event()
        self.kills = 0
        self.errors = []

    def run(self):
        while not self.ended.wait(self.random.uniform(*self.pause)):
            try:
                for process in self.stack.ps()["processes"]:
                    if process["role"] == "engine":
                        os.kill(process["pid"], signal.SIGKILL)
                        self.kills += 1
            except (Failed, ValueError, ProcessLookupError):
                pass  # No engine at this moment: it is started below.
            time.sleep(self.random.uniform(0, 0.5))
            try:
                status, _, errors = self.stack.run("up", "-d", check=False, timeout=SETTLE_SECONDS)
            except subprocess.TimeoutExpired as error:
                self.errors.append(f"`wharf up -d` after a kill: {error}")
                continue
            # The next release may have been asked for meanwhile: then this one has rightly given way.
            if status != 0 and "superseded" not in errors:
                self.errors.append(f"`wharf up -d` after a kill ended with {status}: {errors}")

    def end(self):
        self.ended.set()
        self.join()


def release(stack, version, before, killed):
    """One release. Its duration and the pids afterwards."""
    stack.version(version)
    begin = time.perf_counter()
    status, output, errors = stack.run("release", check=not killed)
    took = time.perf_counter() - begin
    if killed:
        # The command may have lost the engine; what counts is where everything ends.
        pids = settled(stack)
        versions = visible(stack.address(), pids)
        if len(versions) != 1:
            raise Failed(f"release {version} ended with {status} and left the versions {versions}: {output}{errors}")
        return took, pids, versions == {version}
    replicas, desired = stack.replicas()
    pids = set(replicas)
    if len(pids) != desired:
        raise Failed(f"release {version}: {len(pids)} of {desired} replicas are ready")
    if pids & before:
        raise Failed(f"release {version} left the old replicas {sorted(pids & before)}")
    versions = visible(stack.address(), pids)
    if versions != {version}:
        raise Failed(f"after release {version} /health shows {sorted(versions)}")
    return took, pids, True


def early_closes(closes, releases, limit):
    """Sockets that were closed with 1001 less than `limit` seconds after they could first be withdrawn: when a release
    (its begin and end) was under way, be it already at their opening."""
    for opened, closed, code in closes:
        if code != 1001:
            continue
        draining = next((max(begin, opened) for begin, end in releases if end >= opened), None)
        if draining is None or closed - draining < limit - TOLERANCE_SECONDS:
            since = "before any release" if draining is None else f"{closed - draining:.1f} s after it could be withdrawn"
            yield f"a socket of {closed - opened:.1f} s was closed {since}; its limit is {limit:.0f} s"


def missing_traces(stack, traces):
    """The trace ids that the service's log does not have."""
    wanted = set(traces)
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        _, output, _ = stack.run("logs", stack.service, "--json", "--since", "1d", timeout=300)
        missing = wanted.difference(re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", output))
        if not missing or time.monotonic() > deadline:
            return missing
        time.sleep(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--releases", type=int, default=100)
    parser.add_argument("--steady", type=float, default=20.0, help="seconds without releases, to compare with")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--rate", type=float, help="requests a second of each connection (20; 5 with --kill-engine)")
    parser.add_argument("--sockets", type=int, default=8)
    parser.add_argument("--streams", type=int, default=4)
    parser.add_argument("--drain", type=int, default=40, help="drain limit in seconds; streams last 30 to 35")
    parser.add_argument("--kill-engine", action="store_true")
    parser.add_argument("--pause", type=float, nargs=2, default=(1.0, 4.0), help="seconds from kill to kill")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    rate = options.rate if options.rate is not None else (5.0 if options.kill_engine else 20.0)
    print(f"seed {options.seed}", flush=True)

    wrong = []
    took, windows, finished = [], [], 0
    with Stack(drain=f"{options.drain}s") as stack:
        stack.up()
        print(f"{stack.url}, {options.connections} connections x {rate:g}/s, {options.sockets} sockets, "
              f"{options.streams} streams", flush=True)
        pids = set(stack.replicas()[0])
        traffic = Traffic(stack.address(), options.connections, options.sockets, options.streams, rate,
                          seed=options.seed)
        time.sleep(2)
        traffic.phase.value = STEADY
        time.sleep(options.steady)
        traffic.phase.value = RELEASES
        killer = Killer(stack, random.Random(options.seed), options.pause) if options.kill_engine else None
        if killer:
            killer.start()
        for number in range(1, options.releases + 1):
            begin = time.time()
            # Until it is known when it ends.
            windows.append((begin, float("inf")))
            try:
                seconds, pids, done = release(stack, f"1.0.{number}", pids, killer is not None)
            except Failed as error:
                wrong.append(str(error))
                print(f"release {number}: {error}", flush=True)
                break
            windows[-1] = (begin, time.time())
            took.append(seconds)
            finished += done
            if number % 10 == 0:
                print(f"  {number} releases, the last in {seconds:.2f} s", flush=True)
        if killer:
            killer.end()
            wrong += killer.errors
            try:
                settled(stack)
            except Failed as error:
                wrong.append(str(error))
        report = traffic.finish()
        wrong += early_closes(report.closes, windows, options.drain)
        if killer:
            missing = missing_traces(stack, report.traces)
            print(f"engine killed {killer.kills} times; {finished} releases took over, {len(took) - finished} reverted; "
                  f"{len(report.traces)} trace ids, {len(missing)} not in the log")
            wrong += [f"trace id {trace} is not in the log" for trace in sorted(missing)[:10]]

    print("\n".join(report.lines()))
    print(f"release (min / median / max of {len(took)}): {figures.spread(took)}")
    print(f"steady:   {figures.latencies(report.latencies[STEADY])}")
    print(f"releases: {figures.latencies(report.latencies[RELEASES])}")
    print("\n".join(wrong) if wrong else "every assertion held")
    print(f"{report.failures()} failures of requests and sockets in {sum(report.counts.values())}")
    return 1 if wrong or report.failures() else 0


if __name__ == "__main__":
    sys.exit(main())
