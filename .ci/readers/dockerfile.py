"""Dockerfiles: hadolint, with all of its rules."""

import re

import tools
from core import one

TOOLS = ("hadolint",)
BATCH = 100

NAME = re.compile(r"^(Dockerfile|Containerfile)([.-].+)?$|\.Dockerfile$")


def units(folder):
    for file in folder.files:
        if NAME.search(file.name) and not file.name.endswith(".dockerignore"):
            yield one(folder, file)


def read(units):
    files = {unit.file.path: unit.file for unit in units}
    for problem in tools.parsed(tools.run("hadolint", "--no-fail", "-f", "json", *files)):
        yield files[problem["file"]].finding(problem["message"], problem["line"], problem["code"])
