"""Compose files: their schema, what Docker Compose itself says when it loads them, and references between their parts."""

import re
import tempfile
from pathlib import Path

import schemas
import tools
from core import VALIDATORS, one

TOOLS = ("check-jsonschema", "compose-go", "python:yaml")
BATCH = 100

REQUIRED = re.compile(r"\$\{\w+:\?[^}]*\}")
NAME = re.compile(r"compose[^/]*\.ya?ml$")


def units(folder):
    for file in folder.files:
        if NAME.search(file.name) and folder.target != "kubernetes":
            yield one(folder, file)


def read(units):
    yield from schemas.vendor("compose-spec", units)
    for unit in units:
        yield from load(unit.file)
        result = tools.run("python3", VALIDATORS / "composecheck.py", unit.file.path)
        for line in result.stdout.splitlines():
            level, _, text = line.partition(": ")
            message = text.removeprefix(f"{unit.file.path}: ")
            yield unit.file.finding(message, line_of(unit.file, message), level)
        if result.returncode and not result.stdout:
            yield unit.file.finding(result.stderr)


def load(file):
    """What Docker Compose refuses: values that are of the right type, and still no port, address or volume."""
    with tempfile.TemporaryDirectory() as folder:
        # Variables that have to be set are the operator's, in a file that is not there.
        copy = Path(folder) / file.name
        copy.write_text(REQUIRED.sub("value", file.text()))
        loaded = tools.run("compose-go", copy)
        if loaded.returncode:
            yield file.finding(tools.said(loaded).replace(str(copy), file.name), rule="load")


def line_of(file, message):
    """The line of the service that a message is about."""
    at = re.search(rf"^  {re.escape(message.partition(':')[0])}:", file.text(), re.M)
    return file.text()[: at.start()].count("\n") + 1 if at else 1
