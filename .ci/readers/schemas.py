"""JSON Schemas: the ones that check-jsonschema brings along, and files of our own."""

import json
import re
from functools import cache
from pathlib import Path

import jsonschema

import places
import tools
from core import VALIDATORS

HERE = Path(__file__).resolve().parent / "schemas"
# Schemas that may be read but not handed on lie beside the checkout.
SHARED = VALIDATORS.parent.parent.parent / "shared" / "validators" / "schemas"


def vendor(name, units):
    """Files against a schema of check-jsonschema, all in one call."""
    files = {unit.file.path: unit.file for unit in units}
    result = tools.run("check-jsonschema", "--builtin-schema", f"vendor.{name}", "-o", "json", *files)
    report = tools.parsed(result)
    for error in report.get("errors", []):
        file = files[error["filename"]]
        found, _ = places.load(file)
        path = [int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]']+", error["path"])[1:]]
        yield file.finding(f"{error['path']}: {error['message']}", places.line(found[0][1], path) if found else 1)
    for error in report.get("parse_errors", []):
        yield files[error["filename"]].finding(error["message"])


@cache
def validator(path):
    schema = json.loads(Path(path).read_text())
    return jsonschema.validators.validator_for(schema, jsonschema.Draft7Validator)(schema)


def shared(name):
    """The path of a schema beside the checkout, or none where there is no such folder."""
    path = SHARED / f"{name}.json"
    return path if path.is_file() else None


def errors(path, value):
    """Each message, with the path to what it is about."""
    for error in validator(path).iter_errors(value):
        yield from explained(error)


def explained(error):
    """The errors of the alternative that came nearest, as a person would want them."""
    if error.context:
        yield from explained(jsonschema.exceptions.best_match([error]))
    else:
        path = list(error.absolute_path)
        where = ".".join(map(str, path))
        yield path, f"{where}: {error.message[:300]}" if where else error.message[:300]


def check(path, file):
    """One file, YAML or JSON, against a schema of ours."""
    found, problems = places.load(file)
    yield from problems
    for value, node in found:
        for at, message in errors(path, value):
            yield file.finding(message, places.line(node, at))
