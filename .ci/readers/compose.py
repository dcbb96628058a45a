"""Compose files: their schema, and references between their parts."""

import re

import schemas
import tools
from core import VALIDATORS, one

TOOLS = ("check-jsonschema", "python:yaml")
BATCH = 100

NAME = re.compile(r"compose[^/]*\.ya?ml$")


def units(folder):
    for file in folder.files:
        if NAME.search(file.name) and folder.target != "kubernetes":
            yield one(folder, file)


def read(units):
    yield from schemas.vendor("compose-spec", units)
    for unit in units:
        result = tools.run("python3", VALIDATORS / "composecheck.py", unit.file.path)
        for line in result.stdout.splitlines():
            level, _, text = line.partition(": ")
            message = text.removeprefix(f"{unit.file.path}: ")
            yield unit.file.finding(message, line_of(unit.file, message), level)
        if result.returncode and not result.stdout:
            yield unit.file.finding(result.stderr)


def line_of(file, message):
    """The line of the service that a message is about."""
    at = re.search(rf"^  {re.escape(message.partition(':')[0])}:", file.text(), re.M)
    return file.text()[: at.start()].count("\n") + 1 if at else 1
