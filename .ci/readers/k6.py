"""k6: types by TypeScript, options by k6 itself, and one iteration against a server that says yes to everything."""

import json
import os
import re
import shutil
import tempfile

import standin
import tools
from core import together

TOOLS = ("k6", "tsc", "npm:@types/k6")
BATCH = 8

SETTINGS = {
    "compilerOptions": {
        "allowJs": True,
        "checkJs": True,
        "noEmit": True,
        "strict": False,
        "noUnusedLocals": True,
        "noUnusedParameters": True,
        "module": "esnext",
        "moduleResolution": "bundler",
        "target": "es2022",
        # No DOM: a script has no browser.
        "lib": ["es2022"],
        "types": ["k6"],
        "skipLibCheck": True,
    },
}
# k6 ends with this status when a threshold is crossed, as a rate is by one iteration.
CROSSED = 99


def is_script(file):
    return file.suffix in (".js", ".ts", ".mjs") and not file.name.endswith(".d.ts")


def units(folder):
    """The scripts of a folder and what they import, together."""
    if folder.target == "k6":
        scripts = [file for file in folder.files if is_script(file)]
        if scripts:
            yield together(folder, [*scripts, *(file for file in folder.files if opened(file, scripts))])


def opened(file, scripts):
    """Data that a script opens by name."""
    return not is_script(file) and any(f"open('./{file.rel}'" in one.text() or f'open("./{file.rel}"' in one.text() for one in scripts)


def read(units):
    for unit in units:
        with tempfile.TemporaryDirectory() as scratch:
            copy = os.path.join(scratch, "scripts")
            shutil.copytree(unit.folder.path, copy)
            os.symlink(tools.NODE_MODULES, os.path.join(scratch, "node_modules"))
            yield from typed(unit, scratch, copy)
            for file in unit.files:
                if is_script(file) and re.search(r"^export const options\b|^export default function|^export \{", file.text(), re.M):
                    yield from tried(file, os.path.join(copy, file.rel))


def typed(unit, scratch, copy):
    with open(os.path.join(scratch, "tsconfig.json"), "w", encoding="utf-8") as out:
        json.dump(SETTINGS | {"files": [os.path.join(copy, file.rel) for file in unit.files if is_script(file)]}, out)
    result = tools.run("tsc", "--pretty", "false", "-p", scratch, cwd=scratch)
    for path, line, code, message in re.findall(r"^(.+?)\((\d+),\d+\): error (TS\d+): (.*)$", result.stdout, re.M):
        rel = os.path.relpath(os.path.join(scratch, path), copy)
        yield unit.folder.by_rel.get(rel, unit.file).finding(message, int(line), code)
    if result.returncode and "error TS" not in result.stdout:
        yield unit.file.finding(tools.said(result))


def tried(file, path):
    inspected = tools.run("k6", "inspect", "--execution-requirements", path)
    if inspected.returncode:
        yield file.finding(inspected.stderr[-600:], place(inspected.stderr), "inspect")
        return
    if "export default" not in file.text():
        return
    with standin.server() as url:
        names = re.findall(r"__ENV\.(\w+)|__ENV\[['\"](\w+)", file.text())
        given = standin.addresses([a or b for a, b in names], url)
        variables = [part for name, value in given.items() for part in ("-e", f"{name}={value}")]
        result = tools.run("timeout", "90", "k6", "run", "--vus", "1", "--iterations", "1", "--quiet", *variables, path)
    wrong = [line for line in result.stderr.splitlines() if "level=error" in line and "thresholds on metrics" not in line]
    if wrong or result.returncode not in (0, CROSSED):
        yield file.finding(" ".join(wrong)[-600:] or tools.said(result)[-600:], place(result.stderr), "run")


def place(text):
    at = re.search(r"\.(?:js|ts):(\d+):\d+", text)
    return int(at[1]) if at else 1
