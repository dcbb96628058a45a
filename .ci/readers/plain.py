"""Formats of lines: settings, environment files, lists of patterns, tables."""

import configparser
import re
import tomllib

from core import one

TOOLS = ("python:packaging",)
BATCH = 400

NAMES = (
    ("dotenv", re.compile(r"(^|[._-])env(\.(example|sample|template))?$|\.env$")),
    ("patterns", re.compile(r"^\.(git|docker|helm|trivy|gitleaks|semgrep|ansible-lint-)ignore$|^CODEOWNERS$|\.dockerignore$")),
    ("requirements", re.compile(r"^requirements([-.]\w+)?\.txt$|^constraints\.txt$")),
    ("ini", re.compile(r"\.(ini|cfg)$|^\.(bandit|flake8|coveragerc)$")),
    ("toml", re.compile(r"\.toml$")),
    ("table", re.compile(r"\.(tsv|csv)$")),
)


def kind(file):
    return next((name for name, pattern in NAMES if pattern.search(file.name)), None)


def units(folder):
    for file in folder.files:
        # An inventory looks like settings, and is Ansible's.
        if kind(file) and not (folder.target == "ansible" and kind(file) == "ini" and file.name != "ansible.cfg"):
            yield one(folder, file)


def read(units):
    for unit in units:
        readers = {"dotenv": dotenv, "patterns": patterns, "requirements": requirements, "ini": ini, "toml": toml, "table": table}
        yield from readers[kind(unit.file)](unit.file)


def lines(file):
    for number, line in enumerate(file.text().splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line


def dotenv(file):
    """As Compose and Docker read it: a name, `=`, a value; quotes are closed, names are there once."""
    seen = set()
    for number, line in lines(file):
        found = re.fullmatch(r"(?:export )?([A-Za-z_][A-Za-z0-9_]*)=(.*)", line)
        if not found:
            yield file.finding(f"is no assignment: {line}", number)
            continue
        name, value = found[1], found[2].strip()
        if name in seen:
            yield file.finding(f"{name} is there twice", number)
        seen.add(name)
        if value[:1] in ("'", '"') and not re.match(r"(['\"]).*\1(\s+#.*)?$", value):
            yield file.finding(f"the quote of {name} is not closed", number)


def patterns(file):
    for number, line in lines(file):
        if line != line.rstrip():
            yield file.finding("blanks at the end belong to the pattern", number)


def requirements(file):
    from packaging.requirements import InvalidRequirement, Requirement

    for number, line in lines(file):
        text = re.sub(r"\s+#.*$|\s--hash=\S+|\s*\\$", "", line).strip()
        if text.startswith("-") or not text:
            continue
        try:
            Requirement(text)
        except InvalidRequirement as error:
            yield file.finding(error, number)


def ini(file):
    try:
        configparser.RawConfigParser(allow_no_value=True, strict=True).read_string(file.text())
    except configparser.Error as error:
        yield file.finding(error.message, getattr(error, "lineno", None) or 1)


def toml(file):
    try:
        tomllib.loads(file.text())
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"line (\d+)", str(error))
        yield file.finding(error, int(place[1]) if place else 1)


def table(file):
    separator = "\t" if file.suffix == ".tsv" else ","
    widths = [(number, line.count(separator)) for number, line in lines(file)]
    for number, width in widths[1:]:
        if width != widths[0][1]:
            yield file.finding(f"{width + 1} columns, where the first line has {widths[0][1] + 1}", number)
