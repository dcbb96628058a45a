"""Ansible: ansible-lint with its strictest profile, the syntax of each playbook, inventories, and templates."""

import os
import re
import shutil
import tempfile

import ansible_arguments
import places
import tools
from core import together

TOOLS = ("ansible-lint", "ansible-playbook", "ansible-inventory", "ansible-doc", "python:jinja2")
BATCH = 1


def units(folder):
    """The whole project: playbooks, roles, variables and templates are read together."""
    if folder.target == "ansible":
        yield together(folder, folder.files)


def read(units):
    for unit in units:
        yield from read_project(unit)


def read_project(unit):
    for file in unit.files:
        if file.suffix == ".j2":
            yield from template(file)
    yield from ansible_arguments.check(unit.files)
    with tempfile.TemporaryDirectory() as scratch:
        # A copy: a lint run leaves a cache behind, and takes the repository above for the project.
        copy = os.path.join(scratch, "project")
        shutil.copytree(unit.folder.path, copy)
        inventories = [file for file in unit.files if is_inventory(file)]
        for file in inventories:
            yield from inventory(file, copy)
        for file in unit.files:
            if is_playbook(file):
                yield from syntax(file, copy, inventories)
        yield from linted(unit, copy)


def template(file):
    import jinja2

    # Ansible's own filters and tests are known to the linter, the grammar is the same.
    try:
        jinja2.Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"]).parse(file.text())
    except jinja2.TemplateSyntaxError as error:
        yield file.finding(error.message, error.lineno, "template")


def is_inventory(file):
    folder, name = os.path.split(file.rel)
    return file.suffix == ".ini" and name != "ansible.cfg" or (os.path.basename(folder) == "inventory" and file.suffix in (".yml", ".yaml"))


def is_playbook(file):
    """A list of plays, in the folder of the project or in `playbooks`."""
    if file.suffix not in (".yml", ".yaml") or os.path.dirname(file.rel) not in ("", "playbooks"):
        return False
    return any(
        isinstance(value, list) and value and isinstance(value[0], dict) and {"hosts", "import_playbook", "ansible.builtin.import_playbook"} & set(value[0])
        for value, _ in places.load(file)[0]
    )


def inventory(file, copy):
    result = tools.run("ansible-inventory", "-i", file.rel, "--list", cwd=copy, ANSIBLE_INVENTORY_UNPARSED_FAILED="True")
    if result.returncode or "[WARNING]" in result.stderr:
        yield file.finding(result.stderr, rule="inventory")


def syntax(file, copy, inventories):
    given = [part for one in inventories for part in ("-i", one.rel)] or ["-i", "localhost,"]
    result = tools.run("ansible-playbook", "--syntax-check", *given, file.rel, cwd=copy)
    if result.returncode:
        line = re.search(r"line[: ]+(\d+)", result.stderr)
        yield file.finding(result.stderr.replace(f"{copy}/", ""), int(line[1]) if line else 1, "syntax-check")
    for warning in re.findall(r"\[(?:DEPRECATION )?WARNING\]:? (.*)", result.stderr):
        yield file.finding(warning, rule="syntax-check")


def linted(unit, copy):
    result = tools.run(
        "ansible-lint", "--offline", "--strict", "--profile", "production", "--nocolor", "-q", "-f", "codeclimate", "--project-dir", copy,
        cwd=copy, timeout=600,
    )
    report = tools.parsed(result, result.stdout[result.stdout.find("[") :] or "[]")
    for problem in report:
        file = unit.folder.by_rel.get(os.path.normpath(problem["location"]["path"]), unit.file)
        place = problem["location"]
        line = place["lines"]["begin"] if "lines" in place else place["positions"]["begin"]["line"]
        about = (problem.get("content") or {}).get("body", "")
        yield file.finding(f"{problem['description']} {about}".replace(f"{copy}/", ""), line, problem["check_name"])
    if result.returncode and not report:
        yield unit.file.finding(tools.said(result))
