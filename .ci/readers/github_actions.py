"""GitHub: workflows by their schema, actionlint (with shellcheck) and zizmor; the other files by their schemas."""

import os
import re

import schemas
import tools
from core import one

TOOLS = ("check-jsonschema", "actionlint", "shellcheck", "zizmor")
BATCH = 30

SCHEMAS = {"dependabot": "dependabot", "action": "github-actions", "config": "github-issue-config"}


def kind(file):
    """The schema of a file that GitHub reads, by where it lies."""
    folder, (stem, suffix) = os.path.dirname(file.rel), os.path.splitext(file.name)
    if suffix not in (".yml", ".yaml"):
        return None
    if folder.endswith(".github/workflows") or (file.target == "github-actions" and folder == "workflows"):
        return "github-workflows"
    if ".github/ISSUE_TEMPLATE" in folder and stem != "config":
        return "github-issue-forms"
    return SCHEMAS.get(stem) if ".github" in folder else None


def units(folder):
    for file in folder.files:
        if kind(file):
            yield one(folder, file)


def read(units):
    of_kind = {}
    for unit in units:
        of_kind.setdefault(kind(unit.file), []).append(unit)
    for name, some in of_kind.items():
        yield from schemas.vendor(name, some)
    files = {unit.file.path: unit.file for unit in of_kind.get("github-workflows", [])}
    if files:
        yield from linted(files)
    files |= {unit.file.path: unit.file for name in ("github-actions", "dependabot") for unit in of_kind.get(name, [])}
    if files:
        yield from audited(files)


def linted(files):
    # Away from any repository: its settings are not ours.
    result = tools.run("actionlint", "-format", "{{json .}}", *files, cwd="/")
    for problem in tools.parsed(result) or []:
        file = files[os.path.join("/", problem["filepath"])]
        yield file.finding(problem["message"], problem["line"], problem["kind"])


def audited(files):
    result = tools.run("zizmor", "--offline", "--no-config", "--no-progress", "--format", "json", *files)
    if not result.stdout and len(files) > 1:
        # One file that it cannot take ends its run, and the others are unread.
        for path, file in files.items():
            yield from audited({path: file})
        return
    if not result.stdout:
        reason = re.search(r"Caused by:\s*(.*)", result.stderr, re.S)
        yield from (file.finding(reason[1] if reason else result.stderr, rule="zizmor") for file in files.values())
        return
    for problem in tools.parsed(result):
        place = next((at for at in problem["locations"] if at["symbolic"]["kind"] == "Primary"), problem["locations"][0])
        file = files[place["symbolic"]["key"]["Local"]["verbatim_path"]]
        note = place["symbolic"]["annotation"]
        line = place["concrete"]["location"]["start_point"]["row"] + 1
        yield file.finding(f"{problem['desc']}: {note}", line, f"zizmor/{problem['ident']}")
