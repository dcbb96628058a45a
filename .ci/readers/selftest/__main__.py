#!/usr/bin/env python3
"""The readers on samples: all that is good is accepted, and each thing that is broken is found by the reader meant for it.

usage: python3 .ci/readers/selftest

`good/<target>/` has something for every reader. `broken/<case>/<target>/` has one mistake each; `expected` says who has to
find it and with which words.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
READERS = HERE.parent


def findings(tree):
    """(path, reader, message) of each finding, and all that was printed."""
    result = subprocess.run([sys.executable, READERS, HERE / tree], capture_output=True, text=True, check=False, env=dict(os.environ))
    found = re.findall(r"^([^\s:]+):\d+: (\w+): (.*)$", result.stdout, re.M)
    return found, result.stdout + result.stderr


def main():
    failed = []
    good, printed = findings("good")
    print(printed, end="")
    failed += [f"good: {reader} rejects {path}: {message}" for path, reader, message in good]
    if "readers: 0 findings" not in printed:
        failed.append("good: no end of the report")
    skipped = set(re.findall(r"^(\w+): skipped", printed, re.M))
    broken, printed = findings("broken")
    expected = [line.split(maxsplit=2) for line in (HERE / "expected").read_text().splitlines()]
    cases = {entry.name for entry in (HERE / "broken").iterdir()}
    failed += [f"broken: {case} is not in the list" for case in cases - {case for case, _, _ in expected}]
    for case, reader, words in expected:
        seen = [(who, message) for path, who, message in broken if path.split("/")[0] == case]
        if reader not in skipped and not any(who == reader and words in message for who, message in seen):
            failed.append(f"broken: {reader} does not say {words!r} of {case}, but: {seen}")
    if failed and not broken:
        print(printed, end="")
    print("\n".join(failed) or f"readers: {len(expected)} mistakes found, nothing else")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
