"""Locust: each file really runs, for a few seconds, against a server that says yes to everything."""

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
    """A short run; on a machine that is busy with other things, a long one before that none was served says anything."""
    for seconds in (3, 25):
        result = run(file, copy, url, seconds)
        wrong = re.search(r"Traceback|\bERROR\b|Error:|error:", result.stderr)
        if wrong:
            traceback = re.search(r"^Traceback.*?^(\w[\w.]*(?:Error|Exception|Exit)?\b.*?)$", result.stderr, re.M | re.S)
            yield file.finding(traceback[1] if traceback else result.stderr[wrong.start() :][:500], place(file, result.stderr))
            return
        if requests(result):
            return
    yield file.finding(f"a run of {seconds} seconds made no request")


def run(file, copy, url, seconds):
    names = re.findall(r"(?:environ(?:\.get)?|getenv)[\[(]\s*[\"'](\w+)", file.text())
    # A file with a shape of its own decides itself how long it runs; it is stopped as a person would stop it.
    limit = seconds + 5 if "LoadTestShape" in file.text() else 120
    return tools.run(
        "timeout", "-s", "INT", "-k", "20", limit, "locust", "-f", file.name, "--headless", "-u", "2", "-r", "2", "-t", f"{seconds}s",
        "-H", url, "--exit-code-on-error", "0", "--json", "--loglevel", "WARNING", cwd=copy, **standin.addresses(names, url),
    )


def requests(result):
    """How many requests a run made, by the statistics that it prints at its end."""
    try:
        return sum(entry["num_requests"] for entry in json.loads(result.stdout[result.stdout.find("[") :]))
    except (ValueError, KeyError):
        return 0


def place(file, text):
    """The last line of the file itself in a traceback."""
    lines = re.findall(rf'{re.escape(file.name)}", line (\d+)', text)
    return int(lines[-1]) if lines else 1
