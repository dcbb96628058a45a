"""systemd units: `systemd-analyze verify`, with stand-ins for programs that only the real machine has."""

import os
import re
import tempfile

import tools
from core import together

TOOLS = ("systemd-analyze",)
BATCH = 20

UNITS = (".service", ".socket", ".timer", ".target", ".path", ".mount", ".slice")
PROGRAM = re.compile(r"^(Exec\w+\s*=\s*[-@:+!]*)(/\S+)", re.M)


def is_unit(file):
    drop_in = file.suffix == ".conf" and os.path.basename(os.path.dirname(file.rel)).endswith(tuple(f"{kind}.d" for kind in UNITS))
    return file.suffix in UNITS or drop_in


def units(folder):
    files = [file for file in folder.files if is_unit(file)]
    if files:
        yield together(folder, files)


def read(units):
    for unit in units:
        with tempfile.TemporaryDirectory() as scratch:
            yield from verified(unit, scratch)


def verified(unit, scratch):
    copies = {}
    for file in unit.files:
        folder = os.path.basename(os.path.dirname(file.rel))
        path = os.path.join(scratch, folder if folder.endswith(".d") else "", file.name)
        copies[path] = file
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as out:
            out.write(PROGRAM.sub(lambda at: at[0] if os.access(at[2], os.X_OK) else f"{at[1]}/bin/true", file.text()))
    whole = [path for path, file in copies.items() if file.suffix in UNITS]
    # Ours in front, and nothing that happens to be installed here: a unit of this machine is no finding.
    result = tools.run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *whole, SYSTEMD_UNIT_PATH=f"{scratch}:")
    for line in result.stderr.splitlines():
        where = re.match(r"(/[^:]+):(\d+): (.*)", line)
        named = re.match(r"([\w@.-]+): (.*)", line)
        if where and where[1] in copies:
            yield copies[where[1]].finding(where[3], int(where[2]))
        elif named:
            file = next((file for file in copies.values() if file.name == named[1]), None)
            if file:
                yield file.finding(named[2])
    if result.returncode and not result.stderr:
        yield unit.file.finding(f"systemd-analyze: exit status {result.returncode}")
