"""Shell, wherever it lies: shellcheck, and the shell's own parser."""

import re

import tools
from core import one

TOOLS = ("shellcheck", "bash")
BATCH = 40

SHEBANG = re.compile(r"^#!\s*/(?:usr/)?bin/(?:env\s+(?:-S\s+)?)?(sh|bash|dash)\b")


def shell_of(file):
    """The shell that runs a file, if one does."""
    if file.suffix in (".j2", ".tftpl", ".tpl", ".md"):
        return None
    with open(file.path, "rb") as content:
        first = content.readline(200).decode("utf-8", "replace")
    found = SHEBANG.match(first)
    return found[1] if found else "bash" if file.suffix in (".sh", ".bash") else None


def units(folder):
    for file in folder.files:
        if shell_of(file):
            yield one(folder, file)


def read(units):
    for unit in units:
        file, text = unit.file, unit.file.text()
        if not SHEBANG.match(text):
            yield file.finding("has no line that names its shell", rule="shebang")
        for line, message, rule in checked(text, shell_of(file)):
            yield file.finding(message, line, rule)


def checked(text, shell, excluded=()):
    """(line, message, rule) for a script."""
    parser = tools.run("bash" if shell == "bash" else "sh", "-n", stdin=text)
    if parser.returncode:
        line = re.search(r"line (\d+)|: (\d+):", parser.stderr)
        yield int(line[1] or line[2]) if line else 1, parser.stderr, "syntax"
    options = [f"--exclude={','.join(excluded)}"] if excluded else []
    result = tools.run("shellcheck", f"--shell={shell}", "--severity=style", "--format=json", *options, "-", stdin=text)
    for problem in tools.parsed(result):
        yield problem["line"], problem["message"], f"SC{problem['code']}"
