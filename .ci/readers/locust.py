"""Locust: each file really runs, for three seconds, against a server that says yes to everything."""

import json
import os
import re
import shutil
import tempfile

import standin
import tools
from core import together

TOOLS = ("locust", "timeout")
BATCH = 4


def is_locustfile(file):
    return file.suffix == ".py" and bool(re.search(r"^(from|import) locust\b", file.text(), re.M)) and re.search(
        r"^class \w+\(.*User\b", file.text(), re.M
    )


def units(folder):
    for file in folder.files:
        if is_locustfile(file):
            where = os.path.dirname(file.rel)
            # Its modules and data lie beside it.
            beside = [other for other in folder.files if os.path.dirname(other.rel) == where and other is not file]
            yield together(folder, [file, *beside], file.rel)


def read(units):
    for unit in units:
        with tempfile.TemporaryDirectory() as scratch, standin.server() as url:
            copy = os.path.join(scratch, "run")
            shutil.copytree(os.path.dirname(unit.file.path), copy)
            yield from tried(unit.file, copy, url)


def tried(file, copy, url):
    names = re.findall(r"(?:environ(?:\.get)?|getenv)[\[(]\s*[\"'](\w+)", file.text())
    # A file with a shape of its own decides itself how long it runs; it is stopped as a person would stop it.
    result = tools.run(
        "timeout", "-s", "INT", "-k", "20", "6", "locust", "-f", file.name, "--headless", "-u", "2", "-r", "2", "-t", "3s", "-H", url,
        "--exit-code-on-error", "0", "--json", "--loglevel", "WARNING", cwd=copy, **standin.addresses(names, url),
    )
    wrong = re.search(r"Traceback|\bERROR\b|Error:|error:", result.stderr)
    if wrong:
        traceback = re.search(r"^Traceback.*?^(\w[\w.]*(?:Error|Exception|Exit)?\b.*?)$", result.stderr, re.M | re.S)
        yield file.finding(traceback[1] if traceback else result.stderr[wrong.start() :][:500], place(file, result.stderr))
        return
    stats = result.stdout[result.stdout.find("[") :]
    try:
        made = sum(entry["num_requests"] for entry in json.loads(stats))
    except (ValueError, KeyError):
        made = None
    if not made:
        yield file.finding(f"a run of three seconds made no request: {tools.said(result)[-300:]}")


def place(file, text):
    """The last line of the file itself in a traceback."""
    lines = re.findall(rf'{re.escape(file.name)}", line (\d+)', text)
    return int(lines[-1]) if lines else 1
