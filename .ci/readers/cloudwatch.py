"""CloudWatch: bodies of dashboards, and the agent's configuration, by schemas of ours."""

import json
from pathlib import Path

import schemas
from core import one

TOOLS = ("python:jsonschema",)
BATCH = 50

HERE = Path(__file__).resolve().parent / "schemas"


def kind(file):
    if file.suffix != ".json":
        return None
    try:
        value = json.loads(file.text())
    except ValueError:
        return "cloudwatch-dashboard" if file.target == "cloudwatch" else None
    if not isinstance(value, dict):
        return None
    if "widgets" in value:
        return "cloudwatch-dashboard"
    if "agent" in value and {"metrics", "logs", "traces"} & set(value):
        return "cloudwatch-agent"
    return None


def units(folder):
    for file in folder.files:
        if kind(file):
            yield one(folder, file)


def read(units):
    for unit in units:
        yield from schemas.check(HERE / f"{kind(unit.file)}.json", unit.file)
