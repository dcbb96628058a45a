"""Alertmanager: its configuration and notification templates, by amtool."""

import os

import places
import schemas
import tools
from core import one, together

TOOLS = ("amtool",)
BATCH = 20


def is_config(file):
    return file.suffix in (".yml", ".yaml") and any(
        isinstance(value, dict) and {"route", "receivers"} <= set(value) for value, _ in places.load(file)[0]
    )


def units(folder):
    if folder.target in ("helm", "ansible"):
        return
    for file in folder.files:
        if is_config(file):
            yield together(folder, [file, *(other for other in folder.files if other.suffix == ".tmpl")], file.rel)
        elif folder.target == "alertmanager" and file.suffix == ".tmpl":
            yield one(folder, file)


def read(units):
    schema = schemas.shared("alertmanager")
    for unit in units:
        file = unit.file
        if file.suffix == ".tmpl":
            result = tools.run("amtool", "template", "render", f"--template.glob={file.path}", "--template.text=ok")
        else:
            if schema:
                yield from schemas.check(schema, file)
            result = tools.run("amtool", "check-config", file.path)
            yield from templates(unit)
        if result.returncode:
            failed = [line.strip() for line in tools.said(result).splitlines() if "FAILED" in line or "error" in line.lower()]
            yield file.finding((" ".join(failed) or tools.said(result)).replace(f"{os.path.dirname(file.path)}/", ""), rule="amtool")


def templates(unit):
    """Templates that are configured and not rendered: Alertmanager takes a pattern without files in silence."""
    names = {file.name for file in unit.files[1:]}
    for value, node in places.load(unit.file)[0]:
        for index, pattern in enumerate(value.get("templates") or []):
            if not names and "*" in pattern or "*" not in pattern and pattern.rpartition("/")[2] not in names:
                yield unit.file.finding(f"no template is rendered for {pattern!r}", places.line(node, ["templates", index]), "templates")
