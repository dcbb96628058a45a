"""Prometheus: configuration, rules and tests of rules, by promtool; their schemas where they are at hand."""

import json
import os
import re
import tempfile

import places
import schemas
import tools
from core import one, together

TOOLS = ("promtool", "python:yaml")
BATCH = 20


def kind(file):
    """What promtool would take a file for, by what it holds."""
    if file.suffix not in (".yml", ".yaml"):
        return None
    values = [value for value, _ in places.load(file)[0] if isinstance(value, dict)]
    if len(values) != 1:
        return "broken" if file.target == "prometheus" else None
    keys = set(values[0])
    if "tests" in keys and "rule_files" in keys:
        return "test"
    if "scrape_configs" in keys and "clients" not in keys:
        return "config"
    if "groups" in keys and is_rules(values[0]["groups"], file):
        return "rules"
    return None


def is_rules(groups, file):
    """Loki's rules and Grafana's alerts have the same shape and other languages."""
    return file.target != "loki" and all("rules" in group and "folder" not in group for group in groups)


def units(folder):
    if folder.target in ("helm", "ansible"):
        return
    for file in folder.files:
        what = kind(file)
        if folder.target == "prometheus" and is_targets(file):
            yield one(folder, file)
        elif what == "test":
            yield together(folder, [file, *named(folder, file)], file.rel)
        elif what == "config":
            yield together(folder, [file, *(other for other in folder.files if kind(other) == "rules")], file.rel)
        elif what:
            yield one(folder, file)


def named(folder, file):
    """The rule files that a test names."""
    where = os.path.dirname(file.rel)
    for value, _ in places.load(file)[0]:
        for name in value["rule_files"]:
            other = folder.by_rel.get(os.path.normpath(os.path.join(where, name)))
            if other:
                yield other


def is_targets(file):
    """A file of `file_sd_configs`: a list of targets with labels."""
    return file.suffix in (".json", ".yml", ".yaml") and all(
        isinstance(value, list) and value and all(isinstance(entry, dict) and "targets" in entry for entry in value)
        for value, _ in places.load(file)[0]
    )


def read(units):
    for unit in units:
        what = "targets" if is_targets(unit.file) else kind(unit.file)
        yield from {"test": test, "config": config, "rules": rules, "targets": targets, "broken": broken}[what](unit)


def shaped(name, file):
    schema = schemas.shared(name)
    if schema:
        yield from schemas.check(schema, file)


def rules(unit):
    file = unit.file
    yield from shaped("prometheus.rules", file)
    result = tools.run("promtool", "check", "rules", "--lint=all", "--lint-fatal", file.path)
    if result.returncode:
        yield from told(file, tools.said(result), "rules")


def test(unit):
    file = unit.file
    yield from shaped("prometheus.rules.test", file)
    result = tools.run("promtool", "test", "rules", file.name, cwd=os.path.dirname(file.path))
    if result.returncode:
        yield from told(file, tools.said(result), "test")


def config(unit):
    file = unit.file
    yield from shaped("prometheus", file)
    result = tools.run("promtool", "check", "config", "--syntax-only", "--lint=all", "--lint-fatal", file.path)
    if result.returncode:
        yield from told(file, tools.said(result), "config")
    value, node = places.load(file)[0][0]
    here = {other.name for other in unit.files[1:]}
    for index, pattern in enumerate(value.get("rule_files") or []):
        # Where Prometheus will find them is where they are mounted; that there are such files can be seen here.
        if not any(re.fullmatch(os.path.basename(pattern).replace(".", r"\.").replace("*", ".*"), name) for name in here):
            yield file.finding(f"no rule file is rendered for {pattern!r}", places.line(node, ["rule_files", index]), "config")


def targets(unit):
    file = unit.file
    with tempfile.TemporaryDirectory() as scratch:
        copy = os.path.join(scratch, file.name)
        with open(copy, "w", encoding="utf-8") as out:
            out.write(file.text())
        whole = os.path.join(scratch, "prometheus.yml")
        with open(whole, "w", encoding="utf-8") as out:
            json.dump({"scrape_configs": [{"job_name": "a", "file_sd_configs": [{"files": [copy]}]}]}, out)
        result = tools.run("promtool", "check", "config", whole)
        if result.returncode:
            yield from told(file, tools.said(result), "targets")


def broken(unit):
    yield from places.load(unit.file)[1] or [unit.file.finding("is no configuration, rules, tests or targets of Prometheus")]


def told(file, text, rule):
    """What promtool prints, without what went well, at the line that it names."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not re.match(r"(Checking|SUCCESS|Unit Testing)", line.strip())]
    place = re.search(r"line (\d+)|: (\d+):\d+:", text)
    yield file.finding(" ".join(lines).replace(os.path.dirname(file.path) + "/", "")[:900], int(place[1] or place[2]) if place else 1, rule)
