"""Mermaid diagrams, in files of their own and in Markdown, by Mermaid's parser."""

import re

import node_run
from core import one

TOOLS = ("node", "npm:mermaid", "npm:jsdom")
BATCH = 200

FENCE = re.compile(r"^```mermaid\n(.*?)^```$", re.M | re.S)


def diagrams(file):
    """The line before each diagram of a file, and its text."""
    text = file.text()
    if file.suffix == ".mmd":
        return [(0, text)]
    return [(text[: block.start(1)].count("\n"), block[1]) for block in FENCE.finditer(text)]


def units(folder):
    for file in folder.files:
        if file.suffix == ".mmd" or file.suffix == ".md" and diagrams(file):
            yield one(folder, file)


def read(units):
    found = [(unit.file, before, text) for unit in units for before, text in diagrams(unit.file)]
    for (file, before, _), wrong in zip(found, node_run.ask("mermaid.mjs", [text for _, _, text in found])):
        if wrong:
            yield file.finding(wrong["message"], before + wrong["line"])
