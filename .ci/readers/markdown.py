"""Markdown: fences that close, links that lead somewhere, tables of one width, and shell and data in fences that parse."""

import json
import os
import re

import places
import tools
from core import Unit, digest

TOOLS = ("bash",)
BATCH = 100

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^()\s]+(?:\([^()]*\)[^()\s]*)*)\)|!\[[^\]]*\]\(([^()\s]+)\)")


def units(folder):
    for file in folder.files:
        if file.suffix == ".md":
            # Where its links lead depends on its neighbours: the same text elsewhere is another page.
            yield Unit((file,), folder, file.rel, digest([file.path]))


def read(units):
    for unit in units:
        yield from page(unit.file, unit.folder)


def page(file, folder):
    fence, begin, block, headings, rows = None, 0, [], 0, []
    for number, line in enumerate(file.text().splitlines(), 1):
        mark = re.match(r"\s*(```+|~~~+)\s*(\w*)", line)
        if fence is None and mark:
            fence, language, begin, block = mark[1], mark[2], number, []
        elif fence is not None and mark and mark[1].startswith(fence) and not mark[2]:
            yield from fenced(file, language, block, begin)
            fence = None
        elif fence is not None:
            block.append(line)
        else:
            yield from links(file, folder, line, number)
            level = re.match(r"(#+) ", line)
            if level:
                if len(level[1]) > headings + 1:
                    yield file.finding(f"a heading of level {len(level[1])} below one of level {headings}", number, "heading")
                headings = len(level[1])
        if fence is None and line.lstrip().startswith("|"):
            rows.append((number, len(re.findall(r"(?<!\\)\|", re.sub(r"`[^`]*`", "", line)))))
        else:
            yield from table(file, rows)
            rows = []
    yield from table(file, rows)
    if fence is not None:
        yield file.finding("a fence that is not closed", begin, "fence")


def table(file, rows):
    for number, width in rows[1:]:
        if width != rows[0][1]:
            yield file.finding(f"a row of {width - 1} cells in a table of {rows[0][1] - 1}", number, "table")


def fenced(file, language, block, begin):
    text = "\n".join(block) + "\n"
    if language in ("sh", "bash", "shell"):
        # `<name>` stands for what the reader has to fill in.
        result = tools.run("bash", "-n", stdin=re.sub(r"<[\w -]+>", "name", text))
        if result.returncode:
            yield file.finding(result.stderr, begin, "shell")
    elif language == "json":
        try:
            json.loads(text)
        except ValueError as error:
            yield file.finding(error, begin + getattr(error, "lineno", 0), "json")
    elif language in ("yaml", "yml"):
        try:
            places.documents(text)
        except places.yaml.YAMLError as error:
            yield file.finding(error, begin, "yaml")


def links(file, folder, line, number):
    for found in LINK.finditer(re.sub(r"`[^`]*`", "", line)):
        target = found[1] or found[2]
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        # Other targets of the same environment lie beside this one.
        whole = os.path.normpath(os.path.join(os.path.dirname(file.path), path)) if path else file.path
        if not os.path.exists(whole):
            yield file.finding(f"links to {path}, which is not there", number, "link")
        elif anchor and whole.endswith(".md") and anchor not in anchors(whole):
            yield file.finding(f"links to #{anchor}, which is no heading", number, "link")


def anchors(path):
    """The anchors of a page's headings, as GitHub makes them."""
    with open(path, encoding="utf-8") as page:
        text = re.sub(r"^```.*?^```", "", page.read(), flags=re.M | re.S)
    names = {}
    for heading in re.findall(r"^#+ +(.*)$", text, re.M):
        name = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        count = names.get(name, 0)
        names[name] = count + 1
        if count:
            names[f"{name}-{count}"] = 1
    return names
