"""CloudFormation: cfn-lint, and parameter files against the template they are for."""

import json

import places
import tools
from core import one, together

TOOLS = ("cfn-lint",)
BATCH = 8


def is_template(file):
    return file.suffix in (".yaml", ".yml", ".json") and "AWSTemplateFormatVersion" in file.text()


def units(folder):
    """Templates of any target (others embed stacks too), and the parameters beside them."""
    templates = [file for file in folder.files if is_template(file)]
    for file in templates:
        yield one(folder, file)
    if folder.target == "cloudformation":
        for file in folder.files:
            if file.suffix == ".json" and file not in templates:
                yield together(folder, [file, *templates], file.rel)


def read(units):
    templates = {unit.file.path: unit.file for unit in units if len(unit.files) == 1}
    if templates:
        report = tools.parsed(tools.run("cfn-lint", "--format", "json", "--include-checks", "I", "-t", *templates))
        for problem in report:
            line = problem["Location"]["Start"]["LineNumber"]
            yield templates[problem["Filename"]].finding(problem["Message"], line, problem["Rule"]["Id"])
    for unit in units:
        if len(unit.files) > 1:
            yield from parameters(unit)


def parameters(unit):
    """`aws cloudformation create-stack --parameters file://...`: every key is one that a template has."""
    file, templates = unit.file, unit.files[1:]
    declared, required = set(), []
    for template in templates:
        for value, _ in places.load(template)[0]:
            declared |= set(value.get("Parameters") or {})
            required.append({name for name, what in (value.get("Parameters") or {}).items() if "Default" not in what})
    values = json.loads(file.text())
    if not isinstance(values, list) or not all({"ParameterKey", "ParameterValue"} <= set(value) for value in values):
        yield file.finding("is no list of ParameterKey and ParameterValue", rule="parameters")
        return
    given = [value["ParameterKey"] for value in values]
    for name in given:
        if name not in declared:
            yield file.finding(f"no template has a parameter {name!r}", rule="parameters")
    if not any(needs <= set(given) for needs in required):
        yield file.finding("is enough for no template: parameters without a default are missing", rule="parameters")
