"""OpenTelemetry collector: an outline of its configuration, and pipelines whose parts are all there."""

from pathlib import Path

import places
import schemas
from core import one

TOOLS = ("python:jsonschema",)
BATCH = 50

SCHEMA = Path(__file__).resolve().parent / "schemas" / "otel-collector.json"
PARTS = ("receivers", "processors", "exporters")


def is_config(file):
    return file.suffix in (".yml", ".yaml") and any(
        isinstance(value, dict) and "service" in value and {"receivers", "exporters"} & set(value) for value, _ in places.load(file)[0]
    )


def units(folder):
    for file in folder.files:
        if folder.target not in ("helm", "ansible") and is_config(file):
            yield one(folder, file)


def read(units):
    for unit in units:
        yield from schemas.check(SCHEMA, unit.file)
        for value, node in places.load(unit.file)[0]:
            yield from parts(unit.file, value, node)


def parts(file, value, node):
    """As the collector says it at its start: what a pipeline names is configured. What none names does nothing."""
    service = value.get("service") or {}
    pipelines = service.get("pipelines") or {}
    connectors = set(value.get("connectors") or {})
    used = {part: set() for part in PARTS}
    for name, pipeline in pipelines.items():
        for part in PARTS:
            for component in pipeline.get(part) or []:
                used[part].add(component)
                if component not in (value.get(part) or {}) and not (component in connectors and part != "processors"):
                    line = places.line(node, ["service", "pipelines", name, part])
                    yield file.finding(f"pipeline {name}: {component!r} is none of the {part}", line, "reference")
    for part in PARTS:
        for component in sorted(set(value.get(part) or {}) - used[part]):
            yield file.finding(f"{component!r} is in no pipeline", places.line(node, [part, component]), "unused")
    extensions = set(value.get("extensions") or {})
    for name in service.get("extensions") or []:
        if name not in extensions:
            yield file.finding(f"extension {name!r} is not configured", places.line(node, ["service", "extensions"]), "reference")
    for name in sorted(extensions - set(service.get("extensions") or [])):
        yield file.finding(f"extension {name!r} is not switched on", places.line(node, ["extensions", name]), "unused")
