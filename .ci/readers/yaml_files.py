"""Every YAML file: yamllint."""

import re
from pathlib import Path

import tools
from core import one

TOOLS = ("yamllint",)
BATCH = 100
# That a file is YAML does not say that anything can use it.
CLAIMS = False

CONFIG = Path(__file__).resolve().parent.parent / "yamllint.yaml"


def units(folder):
    for file in folder.files:
        template = folder.target == "helm" and "templates/" in file.rel
        encrypted = file.suffix in (".yml", ".yaml") and file.text().startswith("$ANSIBLE_VAULT;")
        if file.suffix in (".yml", ".yaml") and not template and not encrypted:
            yield one(folder, file)


def read(units):
    files = {unit.file.path: unit.file for unit in units}
    result = tools.run("yamllint", "-c", CONFIG, "-f", "parsable", *files)
    for line in result.stdout.splitlines():
        path, number, _, rest = line.split(":", 3)
        message, _, rule = re.sub(r"^ \[\w+\] ", "", rest).rpartition(" (")
        yield files[path].finding(message, int(number), rule.rstrip(")"))
    if result.returncode and not result.stdout:
        raise RuntimeError(result.stderr)
