#!/usr/bin/env python3
"""The chat of examples/chat under load, beside a Starlette server that does the same.

Both run by `wharf up`, one at a time, behind the same ingress, with as many replicas, on stores of their own. The load
(benches/chat/load) opens sockets, posts at a fixed rate through the REST backend, and counts from when a post was due until
each socket has it. Three parts:

fixed  both in turn at a fixed rate; the chat has to deliver everything, once
knee   the rate is doubled, then halved in between, until p99 passes 100 ms or something is not delivered
kill   SIGKILL for one WebSocket replica of the chat, then for its Redis, while messages are posted: every client has to
       come back, and every acknowledged message to be at every client once, and none that was not sent

Exit status 1 if one of these does not hold for the chat. The peer's figures are shown as they are.
"""

import argparse
import json
import os
import pathlib
import resource
import signal
import statistics
import subprocess
import sys
import threading
import time

from stack import ROOT, Failed, Stack

TICKS = os.sysconf("SC_CLK_TCK")
HERE = ROOT / "benches" / "chat"
KNEE_MILLIS = 100
# Beyond this the knee is not looked for: nobody posts that much on two cores.
RATE_MAX = 320_000
PATIENCE = 300


def generator():
    """The load's program, built if it is not."""
    command = ["cargo", "build", "--release", "--quiet", "--locked", "--message-format", "json-render-diagnostics"]
    done = subprocess.run(command, cwd=HERE / "load", stdout=subprocess.PIPE, text=True, check=True)
    for line in done.stdout.splitlines():
        if program := json.loads(line).get("executable"):
            return program
    raise SystemExit(f"`{' '.join(command)}` in {HERE / 'load'} named no program")


def tree(pid):
    """A process and everything below it."""
    found = [pid]
    for one in found:
        try:
            for task in pathlib.Path(f"/proc/{one}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
        except OSError:
            pass
    return found


def cpu_seconds(pids):
    ticks = 0
    for pid in pids:
        try:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        except OSError:
            pass
    return ticks / TICKS


def pss_bytes(pids):
    total = 0
    for pid in pids:
        try:
            lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
        except OSError:
            pass
    return total


def busy_seconds():
    """What all processes of the machine have computed."""
    fields = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    return (sum(map(int, fields[:8])) - int(fields[3]) - int(fields[4])) / TICKS


def parts(stack):
    """The processes of a project by what they do."""
    project = stack.ps()
    replicas = {service["name"]: [tree(one["pid"]) for one in service["replicas"] if one["pid"]]
                for service in project["services"]}
    own = [process for process in project["processes"] if process["role"] == "ingress"]
    return {
        **{name: sum(pids, []) for name, pids in replicas.items()},
        "stores": sum((tree(store["pid"]) for store in project["stores"] if store["pid"]), []),
        "ingress": [process["pid"] for process in own],
    }


class Load:
    """One run of the generator. `during` is called when it begins to measure."""

    def __init__(self, program, stack, options, rate, seconds, settle=15, warm_up=None):
        fan_out = options.sockets / options.rooms
        self.command = [program, "--sockets", options.sockets, "--rooms", options.rooms, "--users", options.users,
                        "--posts", rate / fan_out, "--warm-up", options.warm_up if warm_up is None else warm_up,
                        "--seconds", seconds, "--settle", settle, stack.url]
        self.stack = stack
        self.seconds = seconds

    def run(self, during=None):
        """Its result, with what the parts computed meanwhile in cores, and what others did."""
        command = list(map(str, self.command))
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            impatient = threading.Timer(PATIENCE, process.kill)
            impatient.start()
            try:
                said = []
                for line in process.stderr:
                    said.append(line)
                    if line.strip() == "measuring":
                        break
                cores = self.watch(process.pid, during) if process.poll() is None and said[-1:] == ["measuring\n"] else {}
                output, errors = process.communicate()
            except BaseException:
                process.kill()
                raise
            finally:
                impatient.cancel()
        if process.returncode != 0:
            raise Failed(f"{' '.join(command)} ended with {process.returncode}:\n{''.join(said)}{errors}")
        return {**json.loads(output), "cores": cores}

    def watch(self, pid, during):
        pids = {**parts(self.stack), "generator": [pid]}
        begin, before, busy = time.monotonic(), {name: cpu_seconds(of) for name, of in pids.items()}, busy_seconds()
        if during:
            during()
        time.sleep(max(0, self.seconds - (time.monotonic() - begin)))
        took = time.monotonic() - begin
        cores = {name: (cpu_seconds(of) - before[name]) / took for name, of in pids.items()}
        cores["others"] = max(0, (busy_seconds() - busy) / took - sum(cores.values()))
        self.memory = {name: pss_bytes(pids[name]) for name in ("backend", "websocket")}
        return cores


def faults(result):
    """What a run of the chat must not show, as sentences."""
    counts = result["counts"]
    if result["acknowledged"] != result["posts"]:
        yield f"{result['posts'] - result['acknowledged']} of {result['posts']} posts were never acknowledged"
    if result["missing"]:
        yield f"{result['missing']} deliveries of acknowledged messages are missing"
    if result["connected"] != result["sockets"]:
        yield f"{result['sockets'] - result['connected']} of {result['sockets']} clients did not come back"
    for name, sentence in (("doubles", "messages arrived twice"), ("strangers", "messages arrived that nobody sent"),
                           ("gaps", "revisions were left out of the history"), ("refused", "clients were logged out")):
        if counts[name]:
            yield f"{counts[name]} {sentence}"


def passes(result):
    """Whether a rate is kept: everything there, and p99 within the limit."""
    return not list(faults(result)) and result["counts"]["lost"] == 0 and result["delivery"]["p99"] <= KNEE_MILLIS


def knee(kept, start, steps, most=RATE_MAX):
    """The greatest rate for which `kept(rate)` is known to hold, and the least for which it does not (none up to `most`)."""
    good, bad, rate = 0, None, start
    while bad is None and rate <= most:
        if kept(rate):
            good, rate = rate, rate * 2
        else:
            bad = rate
    while bad is not None and steps > 0:
        middle = (good + bad) / 2
        if kept(middle):
            good = middle
        else:
            bad = middle
        steps -= 1
    return good, bad


def spread(values, digits=1):
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f}-{max(values):,.{digits}f})"


def line(result):
    """One run, in a line."""
    delivery, cores = result["delivery"], result["cores"]
    share = result["delivered"] / max(1, result["expected"])
    used = ", ".join(f"{name} {value:.2f}" for name, value in cores.items())
    return (f"{share:.4%} of {result['expected']:,} delivered, {result['deliveries_per_second']:,.0f}/s, "
            f"p50 {delivery['p50']:.1f} p95 {delivery['p95']:.1f} p99 {delivery['p99']:.1f} max {delivery['max']:.0f} ms; "
            f"cores: {used}")


class Bench:
    """The two stacks, one of which runs at a time."""

    def __init__(self, options):
        self.options = options
        self.program = generator()
        self.stacks = {}
        self.wrong = []

    def __enter__(self):
        self.stacks = {"chat": Stack.of(HERE, "websocket"), "peer": Stack.of(HERE / "peer", "websocket")}
        return self

    def __exit__(self, *_):
        for stack in self.stacks.values():
            stack.__exit__()

    def measure(self, name, rate, seconds):
        load = Load(self.program, self.stacks[name], self.options, rate, seconds)
        result = load.run()
        result["memory"] = load.memory
        return result

    def fixed(self):
        options, results = self.options, {"chat": [], "peer": []}
        names = [name for name in results if name not in options.without]
        for number in range(options.runs):
            # Another order each time, so that neither is always first.
            for name in names if number % 2 == 0 else reversed(names):
                self.stacks[name].up()
                result = self.measure(name, options.rate, options.seconds)
                self.stacks[name].run("down")
                results[name].append(result)
                print(f"  {name} {number + 1}: {line(result)}", flush=True)
                if name == "chat":
                    self.wrong += [f"fixed rate, run {number + 1}: {fault}" for fault in faults(result)]
                    if result["counts"]["lost"]:
                        self.wrong.append(f"fixed rate, run {number + 1}: {result['counts']['lost']} sockets were lost")
        return {name: of for name, of in results.items() if of}

    def knees(self):
        found = {}
        for name in ("chat", "peer"):
            if name in self.options.without:
                continue
            self.stacks[name].up()

            def kept(rate, name=name):
                # Once more if it did not, for whatever else the machine did.
                for _ in range(2):
                    result = self.measure(name, rate, self.options.knee_seconds)
                    good = passes(result)
                    print(f"  {name} at {rate:,.0f}/s {'kept' if good else 'not kept'}: {line(result)}", flush=True)
                    for fault in faults(result):
                        print(f"    {fault}", flush=True)
                    for why, count in result["why"].items():
                        print(f"    {count} x {why}", flush=True)
                    if good:
                        return True
                return False

            found[name] = knee(kept, self.options.rate, self.options.steps)
            self.stacks[name].run("down")
        return found

    def kill(self, what):
        """SIGKILL in the middle of posting."""
        options, stack, killed = self.options, self.stacks["chat"], []

        def shoot():
            time.sleep(options.kill_after)
            project = stack.ps()
            if what == "websocket":
                replicas, _ = stack.replicas()
                killed.append(next(iter(replicas)))
            else:
                killed.append(next(store["pid"] for store in project["stores"] if store["engine"] == "redis"))
            os.kill(killed[0], signal.SIGKILL)

        stack.up()
        load = Load(self.program, stack, options, options.kill_rate, options.kill_seconds, settle=60)
        result = load.run(shoot)
        counts, recovery = result["counts"], result["recovery"]
        wrong = list(faults(result))
        if what == "websocket" and counts["lost"] == 0:
            wrong.append("no client has lost its socket: nothing was tried")
        if what == "redis" and counts["resyncs"] < options.sockets:
            wrong.append(f"{counts['resyncs']} of {options.sockets} clients were told to look for what they missed")
        replicas, desired = stack.replicas()
        if len(replicas) != desired or killed[0] in replicas:
            wrong.append(f"{len(replicas)} of {desired} websocket replicas are ready afterwards")
        stack.run("down")
        print(f"  {what} killed: {result['acknowledged']} of {result['posts']} posts acknowledged after {counts['retries']} "
              f"retries, {line(result)}", flush=True)
        print(f"    {counts['lost']} sockets lost, {counts['unopened']} attempts in vain, {recovery['count']} back (p50 {recovery['p50']:.0f}, "
              f"p99 {recovery['p99']:.0f}, max {recovery['max']:.0f} ms), {result['connected']} of {result['sockets']} "
              f"connected; {counts['resyncs']} resyncs, {counts['reads']} pages read, {counts['repeats']} told again and "
              f"dropped; missing {result['missing']}, doubles {counts['doubles']}, strangers {counts['strangers']}, "
              f"gaps {counts['gaps']}", flush=True)
        for why, count in result["why"].items():
            print(f"    {count} x {why}", flush=True)
        self.wrong += [f"{what} killed: {one}" for one in wrong]


def table(results, knees, options):
    """Lines of a Markdown table."""
    yield ("| server | delivered | p50 ms | p95 ms | p99 ms | p99 to peer | app cores | app MB | knee, deliveries/s |")
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    peer = results.get("peer", [])
    for name in results or knees:
        runs = results.get(name, [])
        cells = [name]
        if runs:
            expected = sum(run["expected"] for run in runs)
            delivered = sum(run["delivered"] for run in runs)
            cells.append("100%" if expected == delivered else f"{delivered / expected:.4%}")
            cells += [spread([run["delivery"][at] for run in runs]) for at in ("p50", "p95", "p99")]
            pairs = [run["delivery"]["p99"] / other["delivery"]["p99"] for run, other in zip(runs, peer)]
            cells.append(f"{statistics.median(pairs):.2f}" if pairs else "")
            cells.append(spread([run["cores"]["backend"] + run["cores"]["websocket"] for run in runs], 2))
            cells.append(f"{max(sum(run['memory'].values()) for run in runs) / 1e6:.0f}")
        else:
            cells += [""] * 7
        good, bad = knees.get(name, (None, None))
        cells.append("" if good is None else f"{good:,.0f}" + (f" (not {bad:,.0f})" if bad else " and more"))
        yield "| " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--rooms", type=int, default=10)
    parser.add_argument("--users", type=int, default=20, help="accounts; passwords are slow to hash")
    parser.add_argument("--rate", type=float, default=10_000, help="deliveries a second")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--warm-up", type=float, default=3)
    parser.add_argument("--knee-seconds", type=float, default=8)
    parser.add_argument("--steps", type=int, default=3, help="how often the knee is narrowed down")
    parser.add_argument("--kill-rate", type=float, default=3000)
    parser.add_argument("--kill-seconds", type=float, default=20)
    parser.add_argument("--kill-after", type=float, default=4)
    parser.add_argument("--only", choices=["fixed", "knee", "kill"], nargs="+", default=["fixed", "knee", "kill"])
    parser.add_argument("--without", choices=["chat", "peer"], nargs="+", default=[])
    options = parser.parse_args()
    # A socket is a descriptor here, and two at the ingress.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    results, knees = {}, {}
    with Bench(options) as bench:
        if "fixed" in options.only:
            print(f"{options.sockets} sockets in {options.rooms} rooms at {options.rate:,.0f} deliveries/s, {options.runs} runs "
                  f"of {options.seconds:g} s each", flush=True)
            results = bench.fixed()
        if "knee" in options.only:
            print(f"the knee: p99 over {KNEE_MILLIS} ms, or not everything delivered", flush=True)
            knees = bench.knees()
        if "kill" in options.only:
            print(f"kills at {options.kill_rate:,.0f} deliveries/s", flush=True)
            for what in ("websocket", "redis"):
                bench.kill(what)
        wrong = bench.wrong
    if results or knees:
        print("\n".join(table(results, knees, options)))
        others = [run["cores"]["others"] for runs in results.values() for run in runs]
        if others:
            print(f"Other processes took {statistics.median(others):.2f} cores (median of the runs).")
    print("\n".join(wrong) if wrong else "every assertion held")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
