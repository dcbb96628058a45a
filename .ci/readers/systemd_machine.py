"""Users and folders of a machine: `systemd-sysusers` and `systemd-tmpfiles` make them in an empty root."""

import os
import tempfile

import tools
from core import together

TOOLS = ("systemd-sysusers", "systemd-tmpfiles")
BATCH = 50


def units(folder):
    """A target's files together: the folders belong to the users."""
    files = [file for file in folder.files if kind(file)]
    if files:
        yield together(folder, files)


def kind(file):
    name = os.path.basename(os.path.dirname(file.rel))
    return name if name in ("sysusers.d", "tmpfiles.d") and file.suffix == ".conf" else None


def read(units):
    for unit in units:
        with tempfile.TemporaryDirectory() as root:
            os.makedirs(os.path.join(root, "etc"))
            for name, lines in (("passwd", "root:x:0:0::/root:/bin/sh\n"), ("group", "root:x:0:\nadm:x:4:\n")):
                with open(os.path.join(root, "etc", name), "w", encoding="utf-8") as out:
                    out.write(lines)
            for file in sorted(unit.files, key=kind):
                command = ["systemd-sysusers"] if kind(file) == "sysusers.d" else ["systemd-tmpfiles", "--create"]
                result = tools.run(*command, f"--root={root}", file.path)
                said = [line for line in result.stderr.splitlines() if not line.startswith("Creating ")]
                if result.returncode or said:
                    yield file.finding("; ".join(said) or f"{command[0]}: exit status {result.returncode}")
