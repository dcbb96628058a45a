"""Loki and Promtail: their schemas; the queries of Loki's rules."""

from pathlib import Path

import logql
import places
import schemas
from core import one

TOOLS = ("python:jsonschema", *logql.TOOLS)
BATCH = 50

HERE = Path(__file__).resolve().parent / "schemas"


def kind(file):
    if file.suffix not in (".yml", ".yaml"):
        return None
    found, problems = places.load(file)
    keys = {key for value, _ in found if isinstance(value, dict) for key in value}
    if "schema_config" in keys:
        return "loki"
    if {"clients", "scrape_configs"} <= keys:
        return "promtail"
    if "groups" in keys and file.target == "loki":
        return "rules"
    return "broken" if problems and file.target == "loki" else None


def units(folder):
    for file in folder.files:
        if folder.target not in ("helm", "ansible") and kind(file):
            yield one(folder, file)


def read(units):
    rules = [unit.file for unit in units if kind(unit.file) == "rules"]
    for unit in units:
        what = kind(unit.file)
        if what == "loki":
            # The whole configuration where its schema is at hand; its outline everywhere.
            for schema in filter(None, (schemas.shared("loki"), HERE / "loki.json")):
                yield from schemas.check(schema, unit.file)
        elif what == "promtail":
            yield from schemas.check(HERE / "promtail.json", unit.file)
        elif what == "rules" and schemas.shared("prometheus.rules"):
            yield from schemas.check(schemas.shared("prometheus.rules"), unit.file)
        elif what == "broken":
            yield from places.load(unit.file)[1]
    yield from parsed(rules)


def parsed(files):
    queries = []
    for file in files:
        value, node = places.load(file)[0][0]
        for g, group in enumerate(value["groups"]):
            for r, rule in enumerate(group["rules"]):
                queries.append((file, places.line(node, ["groups", g, "rules", r, "expr"]), rule["expr"]))
    for (file, line, _), wrong in zip(queries, logql.wrong([query for _, _, query in queries]) if queries else []):
        if wrong:
            yield file.finding(wrong, line, "logql")
