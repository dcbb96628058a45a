"""Settings of tools that go with other targets, by schemas of ours: Traefik, Safety, Trivy, rulesets of GitHub."""

import re
from pathlib import Path

import places
import schemas
from core import one

TOOLS = ("python:jsonschema",)
BATCH = 100

HERE = Path(__file__).resolve().parent / "schemas"
KINDS = (
    ("traefik", re.compile(r"(^|/)traefik/[^/]+\.ya?ml$")),
    ("safety-policy", re.compile(r"(^|/)\.safety-policy\.yml$")),
    ("trivyignore", re.compile(r"(^|/)\.trivyignore\.yaml$")),
    ("github-ruleset", re.compile(r"(^|/)\.github/rulesets/[^/]+\.json$")),
)


def kind(file):
    return next((name for name, pattern in KINDS if pattern.search(file.rel)), None)


def units(folder):
    for file in folder.files:
        if kind(file):
            yield one(folder, file)


def read(units):
    for unit in units:
        yield from schemas.check(HERE / f"{kind(unit.file)}.json", unit.file)
        if kind(unit.file) == "traefik":
            yield from routes(unit.file)


def routes(file):
    """Routers that lead to services and middlewares which are not there; those of other providers have an `@`."""
    for value, node in places.load(file)[0]:
        http = value.get("http") or {}
        for name, router in (http.get("routers") or {}).items():
            named = [("services", router.get("service"))] + [("middlewares", one) for one in router.get("middlewares") or []]
            for what, target in named:
                if target and "@" not in target and target not in (http.get(what) or {}):
                    line = places.line(node, ["http", "routers", name])
                    yield file.finding(f"router {name}: {target!r} is none of the {what}", line, "reference")
