#!/usr/bin/env python3
"""Rendering every target of the largest example, as a user does: `wharf render all -e prod` into an empty folder.

The promise is about a folder in memory: how long a disk takes to make some hundred files is its own matter, and told beside
it. Beside both, in the same runs, `helm template` of the chart that came out, where Helm is installed: one target of the same plan
by the engine that everybody uses. Exit status 1 if the median is 100 ms or more: what the project promises.
"""

import argparse
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import figures
from stack import ROOT, binary

PROMISED_SECONDS = 0.1
MEMORY = pathlib.Path("/dev/shm")
# A Helm that was built from its module takes the cluster for an old one.
KUBE_VERSION = "1.32.0"


def timed(command):
    """Seconds that a command took; it has to end well."""
    begin = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    took = time.perf_counter() - begin
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))} failed: {done.stderr}")
    return took


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--example", default="django-eks")
    parser.add_argument("--environment", default="prod")
    options = parser.parse_args()
    wharf = binary()
    file = ROOT / "examples" / options.example / "wharf.yaml"
    render = [wharf, "render", "-f", file, "all", "-e", options.environment, "-q", "-o"]
    took, on_disk, helm = [], [], []
    memory = MEMORY if MEMORY.is_dir() else None
    with (
        tempfile.TemporaryDirectory(prefix="wharf-bench-", dir=memory) as folder,
        tempfile.TemporaryDirectory(prefix="wharf-bench-") as disk,
    ):
        out, other = pathlib.Path(folder) / "out", pathlib.Path(disk) / "out"
        for _ in range(options.runs):
            for one in (out, other):
                shutil.rmtree(one, ignore_errors=True)
            took.append(timed([*render, out]))
            on_disk.append(timed([*render, other]))
            charts = sorted(out.glob("helm/*/Chart.yaml"))
            if charts and shutil.which("helm"):
                helm.append(timed(["helm", "template", "x", "--kube-version", KUBE_VERSION, charts[0].parent]))
        files = [path for path in out.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files)
    print(f"{len(files)} files, {size / 1e6:.1f} MB of {options.example} ({options.environment})")
    print(f"wharf render all (min / median / max of {options.runs}): {figures.spread(took)}")
    print(f"onto the disk of {tempfile.gettempdir()}: {figures.spread(on_disk)}")
    if helm:
        ratio = statistics.median(took) / statistics.median(helm)
        print(f"helm template of the chart alone: {figures.spread(helm)}; wharf takes {ratio:.2f} of its time")
    kept = statistics.median(took) < PROMISED_SECONDS
    print("kept" if kept else f"NOT kept: a median under {PROMISED_SECONDS * 1000:.0f} ms")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
