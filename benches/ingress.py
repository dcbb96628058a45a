#!/usr/bin/env python3
"""Measures Wharf's ingress beside nginx and haproxy, and prints a Markdown table.

All of them forward to the same upstream (an nginx that answers from memory), with the same number of workers, a JSON
access log into a file, request ids and forwarding headers. The runs are interleaved, so that whatever else the
machine does meets all of them; figures are medians with the least and the greatest.

The proxy runs on its own cores, upstream and client (wrk) on the others, if there are at least two.

Usage: ingress.py [--binary PATH] [--rounds N] [--seconds N] [--connections N] [--workers N] [--body BYTES]
Needs nginx, haproxy and wrk; a missing proxy is left out with a line that says so.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, process):
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit(f"{process.args[0]} ended with {process.returncode} before it served")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.02)
    sys.exit(f"{process.args[0]} does not serve port {port}")


def on(cores, command):
    """The command, bound to cores."""
    if not cores:
        return command
    return ["taskset", "-c", ",".join(map(str, cores)), *command]


class Proxy:
    """A proxy that runs for the whole measurement."""

    def __init__(self, name, command, port, folder, cores, **options):
        self.name, self.port = name, port
        log = open(folder / f"{name}.out", "wb")
        options.setdefault("stdout", log)
        self.process = subprocess.Popen(on(cores, command), stderr=log, start_new_session=True, **options)
        self.figures = {"rps": [], "p50": [], "p99": [], "cpu": []}
        self.memory = 0
        self.foreign = []

    def pids(self):
        """The process and its children, which in nginx and haproxy do the work."""
        found = [self.process.pid]
        for pid in found:
            try:
                for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                    found += map(int, (task / "children").read_text().split())
            except OSError:
                pass
        return found

    def cpu_seconds(self):
        ticks = 0
        for pid in self.pids():
            try:
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
                ticks += int(fields[11]) + int(fields[12])
            except OSError:
                pass
        return ticks / TICKS

    def pss_bytes(self):
        total = 0
        for pid in self.pids():
            try:
                rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
                total += int(re.search(r"^Pss:\s+(\d+) kB", rollup, re.M).group(1)) * 1024
            except OSError:
                pass
        return total

    def stop(self):
        # One that has ended by itself is no reason to leave the others running.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)


def nginx(folder, conf, name):
    path = folder / f"{name}.conf"
    path.write_text(conf)
    prefix = folder / name
    prefix.mkdir()
    return ["nginx", "-p", str(prefix), "-c", str(path), "-e", str(folder / f"{name}.err")]


def upstream(folder, port, body, cores):
    """Answers from memory: the proxies are to be the slowest part."""
    (folder / "www").mkdir()
    conf = f"""
daemon off; worker_processes 1; pid {folder}/upstream.pid; user root;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h;
  server {{ listen 127.0.0.1:{port} backlog=4096; default_type application/json; location / {{ return 200 '{"x" * body}'; }} }}
}}
"""
    return Proxy("upstream", nginx(folder, conf, "upstream"), port, folder, cores)


def start_nginx(folder, upstream_port, options, cores):
    port = free_port()
    fields = {
        "time": "$time_iso8601", "request_id": "$request_id", "client": "$remote_addr", "method": "$request_method",
        "host": "$host", "path": "$uri", "status": "$status", "duration_seconds": "$request_time",
        "upstream_seconds": "$upstream_response_time", "bytes_in": "$request_length", "bytes_out": "$body_bytes_sent",
        "upstream": "$upstream_addr", "user_agent": "$http_user_agent", "protocol": "$server_protocol",
    }
    conf = f"""
daemon off; worker_processes {options.workers}; pid {folder}/nginx.pid; user root; worker_rlimit_nofile 20000;
events {{ worker_connections 8192; }}
http {{
  log_format json escape=json '{json.dumps(fields)}';
  access_log {folder}/nginx.log json buffer=32k flush=200ms;
  keepalive_requests 1000000000;
  upstream web {{ server 127.0.0.1:{upstream_port}; keepalive 512; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://web; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $host;
      proxy_set_header X-Request-ID $request_id;
      add_header X-Request-ID $request_id; add_header X-Content-Type-Options nosniff;
      add_header X-Frame-Options SAMEORIGIN; add_header Referrer-Policy strict-origin-when-cross-origin;
    }}
  }}
}}
"""
    return Proxy("nginx", nginx(folder, conf, "nginx"), port, folder, cores)


def start_haproxy(folder, upstream_port, options, cores):
    port = free_port()
    log = (
        r'{\"time\":\"%[date,ltime(%FT%T%z)]\",\"request_id\":\"%ID\",\"client\":\"%ci\",\"method\":\"%HM\",'
        r'\"host\":\"%[var(txn.host)]\",\"path\":\"%HPO\",\"status\":%ST,\"duration\":%Ta,\"upstream\":%Tr,'
        r'\"bytes_in\":%U,\"bytes_out\":%B,\"server\":\"%s\",\"retries\":\"%rc\",'
        r'\"user_agent\":\"%[var(txn.agent),json]\",\"protocol\":\"%HV\"}'
    )
    conf = f"""
global
  nbthread {options.workers}
  maxconn 8192
  log fd@1 len 8192 format raw local0 info
defaults
  mode http
  log global
  timeout connect 3s
  timeout client 60s
  timeout server 60s
  http-reuse always
  unique-id-format %[uuid()]
  unique-id-header X-Request-ID
frontend edge
  bind 127.0.0.1:{port} backlog 4096
  http-request set-var(txn.host) req.hdr(host)
  http-request set-var(txn.agent) req.fhdr(user-agent)
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-response set-header X-Request-ID %[unique-id]
  http-response set-header X-Content-Type-Options nosniff
  http-response set-header X-Frame-Options SAMEORIGIN
  http-response set-header Referrer-Policy strict-origin-when-cross-origin
  log-format "{log}"
  default_backend web
backend web
  server one 127.0.0.1:{upstream_port} pool-max-conn 512
"""
    path = folder / "haproxy.conf"
    path.write_text(conf)
    log_file = open(folder / "haproxy.log", "wb")
    return Proxy("haproxy", ["haproxy", "-f", str(path), "-db"], port, folder, cores, stdout=log_file)


def start_wharf(folder, upstream_port, options, cores):
    # Named by the platform's rule of inherited listeners: file descriptor 3, LISTEN_FDS and LISTEN_FDNAMES.
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(4096)
    port = listener.getsockname()[1]
    limits = {
        "rate_per_second": None, "burst": 0, "body_bytes": None, "request_timeout": "60s", "idle_timeout": "300s",
        "connections": None,
    }
    headers = {"security": True, "request": {}, "response": {}, "trusted_proxies": []}
    endpoint = {"id": "web-r1-1", "address": f"127.0.0.1:{upstream_port}"}
    config = {
        "generation": 1, "project": "bench", "listeners": {"http": "http"}, "certificates": [],
        "routes": [{
            "name": "web", "hosts": [], "https_redirect": None, "limits": limits, "headers": headers,
            "paths": {"/": {"forward": {"upstream": "web", "strip_prefix": False}}},
        }],
        "upstreams": {"web": {
            "service": "web", "draining": [], "health": None,
            "revisions": [{"release": "r1", "weight": 1, "endpoints": [endpoint]}],
        }},
    }
    state = folder / "wharf"
    state.mkdir()
    (state / "config.json").write_text(json.dumps(config))
    files = [str(state / "control.sock"), str(state / "config.json"), str(state / "access.log"), str(options.workers)]
    if pathlib.Path(options.binary).name == "wharf":
        flags = ["--control-socket", "--config-file", "--access-log", "--workers"]
        command = [options.binary, "ingress", *(word for pair in zip(flags, files) for word in pair)]
    else:
        command = [options.binary, *files]
    # The shell moves the listener from its standard input to where it belongs.
    shell = ["sh", "-c", 'exec 3<&0 </dev/null; exec "$@"', "sh", *command]
    environment = dict(os.environ, LISTEN_FDS="1", LISTEN_FDNAMES="http")
    return Proxy("wharf", shell, port, folder, cores, stdin=listener, env=environment)


def seconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60}[unit]


def busy_seconds():
    """What all processes of the machine have computed."""
    fields = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    idle = int(fields[3]) + int(fields[4])
    return (sum(map(int, fields[:8])) - idle) / TICKS


def undisturbed(proxy, source, options, cores):
    """Runs until the rest of the machine was quiet, or the patience is over: the last run's figures."""
    for attempt in range(options.patience + 1):
        busy, began = busy_seconds(), time.monotonic()
        own = source.cpu_seconds() + proxy.cpu_seconds() + sum(os.times()[2:4])
        figures = run(proxy, options, cores)
        own = source.cpu_seconds() + proxy.cpu_seconds() + sum(os.times()[2:4]) - own
        foreign = max(0, busy_seconds() - busy - own) / (time.monotonic() - began) / os.cpu_count()
        if foreign < 0.08 or attempt == options.patience:
            proxy.foreign.append(foreign)
            return figures
        time.sleep(1)


def run(proxy, options, cores):
    """One run of wrk."""
    before = proxy.cpu_seconds()
    command = on(cores, ["wrk", "-t1", f"-c{options.connections}", f"-d{options.seconds}s", "--latency",
                         f"http://127.0.0.1:{proxy.port}/items?page=1"])
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    spent = proxy.cpu_seconds() - before
    requests = int(re.search(r"(\d+) requests in", output).group(1))
    if "Non-2xx" in output or "Socket errors" in output:
        sys.exit(f"{proxy.name} failed requests:\n{output}")
    proxy.memory = max(proxy.memory, proxy.pss_bytes())
    late = {name: re.search(rf"^\s+{mark}\s+(\S+)", output, re.M).group(1) for name, mark in (("p50", "50%"), ("p99", "99%"))}
    return {
        "rps": float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1)),
        "cpu": spent / requests * 1e6,
        **{name: seconds(text) * 1e3 for name, text in late.items()},
    }


def spread(values, digits):
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f}-{max(values):,.{digits}f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--binary", default="target/release/wharf", help="wharf, or its ingress example")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--patience", type=int, default=3, help="how often a run that others disturbed is repeated")
    parser.add_argument("--body", type=int, default=200)
    options = parser.parse_args()
    for tool in ("wrk", "nginx"):
        if not shutil.which(tool):
            sys.exit(f"{tool} is not installed: apt-get install {tool}")
    available = sorted(os.sched_getaffinity(0))
    proxy_cores = available[:options.workers] if len(available) > options.workers else []
    other_cores = available[options.workers:] if proxy_cores else []
    proxies = []
    with tempfile.TemporaryDirectory(prefix="wharf-bench-") as name:
        folder = pathlib.Path(name)
        port = free_port()
        source = upstream(folder, port, options.body, other_cores)
        try:
            wait_for(port, source.process)
            for start in (start_wharf, start_nginx, start_haproxy):
                tool = start.__name__.removeprefix("start_")
                if tool == "haproxy" and not shutil.which(tool):
                    print("haproxy is not installed and is left out", file=sys.stderr)
                    continue
                proxies.append(start(folder, port, options, proxy_cores))
                wait_for(proxies[-1].port, proxies[-1].process)
            for proxy in proxies:
                proxy.idle = proxy.pss_bytes()
                run(proxy, options, other_cores)
            for index in range(options.rounds):
                # Another order each time, so that none is always first.
                turn = index % len(proxies)
                for proxy in proxies[turn:] + proxies[:turn]:
                    for figure, value in undisturbed(proxy, source, options, other_cores).items():
                        proxy.figures[figure].append(value)
        finally:
            for proxy in [*proxies, source]:
                proxy.stop()
    base = next(proxy for proxy in proxies if proxy.name == "nginx")
    print(f"{options.connections} keep-alive connections, {options.workers} worker(s), {options.body} bytes, "
          f"{options.rounds} interleaved runs of {options.seconds} s: median (least-greatest)")
    foreign = statistics.median(share for proxy in proxies for share in proxy.foreign)
    print(f"Other processes took {foreign:.0%} of the machine (median of all runs).\n")
    print("| proxy | req/s | to nginx | p50 ms | p99 ms | p99 to nginx | CPU us/request | PSS idle, loaded MB |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for proxy in proxies:
        pairs = zip(proxy.figures["rps"], base.figures["rps"])
        ratio = statistics.median(own / other for own, other in pairs)
        late = statistics.median(own / other for own, other in zip(proxy.figures["p99"], base.figures["p99"]))
        print(f"| {proxy.name} | {spread(proxy.figures['rps'], 0)} | {ratio:.2f} | {spread(proxy.figures['p50'], 2)} "
              f"| {spread(proxy.figures['p99'], 2)} | {late:.2f} | {spread(proxy.figures['cpu'], 1)} "
              f"| {proxy.idle / 1e6:.1f}, {proxy.memory / 1e6:.1f} |")


if __name__ == "__main__":
    main()
