"""Drives the real `wharf` by its contract for scripts, on a copy of an example in a folder of its own."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Failed(Exception):
    """A command of wharf did not do what it was asked."""


def binary():
    """The program to measure: `$WHARF`, else the release build of this repository."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    path = pathlib.Path(os.environ.get("WHARF", target / "release" / "wharf"))
    if not path.is_file():
        raise SystemExit(f"{path} does not exist: run `cargo build --release` first, or set WHARF to the program")
    return str(path)


class Stack:
    """One project in a temporary folder. Use with `with`: at the end everything is stopped and removed."""

    def __init__(self, example="items", service="api", drain="40s"):
        source = ROOT / "examples" / example
        text = (source / "wharf.yaml").read_text()
        text, builds = re.subn(r"build: \.\n", f"build: .\n    drain_timeout: {drain}\n", text)
        if builds != 1 or 'VERSION: "' not in text:
            raise SystemExit(f"{source}/wharf.yaml is not as the benchmarks expect: one `build: .` and a VERSION")
        self._place(source, text, service)
        self.version("1.0.0")

    @classmethod
    def of(cls, source, service):
        """The project of another folder, as it stands there."""
        stack = cls.__new__(cls)
        stack._place(source, (source / "wharf.yaml").read_text(), service)
        stack.file.write_text(stack.text)
        return stack

    def _place(self, source, text, service):
        self.wharf = binary()
        self.service = service
        self.url = None
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="wharf-bench-"))
        # An unprivileged replica has to be able to walk through it.
        self.folder.chmod(0o755)
        self.file = self.folder / "wharf.yaml"
        self.text = re.sub(r"build: (\S+)\n", lambda build: f"build: {os.path.relpath(source / build[1], self.folder)}\n", text)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.run("down", "--volumes", "--yes", check=False, timeout=120)
        shutil.rmtree(self.folder, ignore_errors=True)

    def version(self, version):
        """Writes the file with another `VERSION`, at once, so that no reader sees half of it."""
        text = re.sub(r'VERSION: "[^"]*"', f'VERSION: "{version}"', self.text)
        fresh = self.folder / "wharf.yaml.new"
        fresh.write_text(text)
        fresh.replace(self.file)

    def run(self, *arguments, check=True, timeout=900):
        """Runs a command of wharf; its output as (exit status, standard output, standard error)."""
        command = [self.wharf, arguments[0], "--file", str(self.file), *arguments[1:]]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False,
                              stdin=subprocess.DEVNULL)
        if check and done.returncode != 0:
            raise Failed(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.returncode, done.stdout, done.stderr

    def up(self):
        """Starts everything and waits until it is ready. The seconds it took."""
        begin = time.perf_counter()
        _, output, _ = self.run("up", "-d")
        took = time.perf_counter() - begin
        self.url = output.strip().splitlines()[-1]
        if not self.url.startswith("http://127.0.0.1:"):
            raise Failed(f"the last line of `wharf up -d` is no URL: {self.url!r}")
        return took

    def ps(self):
        """What `wharf ps --json` prints, also where it ends with 4 because something is not ready at the moment."""
        status, output, errors = self.run("ps", "--json", check=False, timeout=60)
        if status not in (0, 4):
            raise Failed(f"`wharf ps --json` ended with {status}: {errors}")
        return json.loads(output)

    def replicas(self):
        """The ready replicas of the service's own release, as {pid: replica}; and how many there should be."""
        service = next(service for service in self.ps()["services"] if service["name"] == self.service)
        own = [replica for replica in service["replicas"] if replica["release"] == service["release"]]
        return {replica["pid"]: replica for replica in own if replica["state"] == "ready"}, service["desired"]

    def address(self):
        """Host and port of the ingress."""
        host, _, port = self.url.removeprefix("http://").rstrip("/").partition(":")
        return host, int(port)
