"""Grafana: dashboards by their schema, every query by the parser of its language; provisioning files."""

import json
from pathlib import Path

import logql
import places
import schemas
import tools
from core import VALIDATORS, one

TOOLS = ("check-jsonschema", "promtool", *logql.TOOLS)
BATCH = 20

SCHEMA = VALIDATORS / "grafana-dashboard.schema.json"
PROVISIONING = Path(__file__).resolve().parent / "schemas" / "grafana-provisioning.json"
SECTIONS = {"datasources", "providers", "groups", "contactPoints", "policies", "muteTimes", "templates", "apps"}


def is_dashboard(file):
    if file.suffix != ".json":
        return False
    try:
        value = json.loads(file.text())
    except ValueError:
        return file.target == "grafana"
    return isinstance(value, dict) and "panels" in value.get("dashboard", value)


def is_provisioning(file):
    return file.suffix in (".yml", ".yaml") and any(
        isinstance(value, dict) and value.get("apiVersion") == 1 and SECTIONS & set(value) for value, _ in places.load(file)[0]
    )


def units(folder):
    for file in folder.files:
        if is_dashboard(file) or is_provisioning(file):
            yield one(folder, file)


def read(units):
    for unit in units:
        if unit.file.suffix != ".json":
            yield from schemas.check(PROVISIONING, unit.file)
            continue
        yield from dashboard(unit.file)


def dashboard(file):
    try:
        whole = json.loads(file.text())
    except ValueError as error:
        yield file.finding(error, error.lineno)
        return
    value = whole.get("dashboard", whole)
    for path, message in schemas.errors(SCHEMA, value):
        yield file.finding(message, rule="schema")
    yield from drawn(file, value)
    result = tools.run("python3", VALIDATORS / "promcheck.py", "dashboard", file.path)
    # Each begins with the path of the file; what follows on further lines belongs to it.
    for message in filter(None, result.stdout.split(f"{file.path}: ")):
        yield file.finding(message, rule="promql")
    if result.returncode and not result.stdout:
        yield file.finding(result.stderr, rule="promql")
    queries = [(where, query) for where, query in asked(value) if query]
    for (where, _), wrong in zip(queries, logql.wrong([query for _, query in queries]) if queries else []):
        if wrong:
            yield file.finding(f"{where}: {wrong}", rule="logql")


def panels(value):
    """Every panel, those in collapsed rows too."""
    for panel in value.get("panels") or []:
        yield panel
        yield from panel.get("panels") or []


def asked(value):
    """The queries that go to Loki."""
    for panel in panels(value):
        for target in panel.get("targets") or []:
            source = target.get("datasource") or panel.get("datasource") or {}
            if isinstance(source, dict) and source.get("type") == "loki":
                yield f"panel {panel.get('title')!r}", target.get("expr")


def drawn(file, value):
    """What Grafana takes and nobody wants: panels with one id, one above the other, or outside of the grid."""
    ids, cells = set(), {}
    for panel in panels(value):
        if panel.get("id") in ids:
            yield file.finding(f"panel {panel.get('title')!r}: the id {panel.get('id')} is there twice", rule="layout")
        ids.add(panel.get("id"))
    for panel in value.get("panels") or []:
        at = panel.get("gridPos")
        if not at:
            yield file.finding(f"panel {panel.get('title')!r} has no gridPos", rule="layout")
            continue
        if at["x"] + at["w"] > 24:
            yield file.finding(f"panel {panel.get('title')!r} is wider than the grid", rule="layout")
        for cell in ((x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])):
            other = cells.setdefault(cell, panel)
            if other is not panel:
                yield file.finding(f"panel {panel.get('title')!r} lies over {other.get('title')!r}", rule="layout")
                break
