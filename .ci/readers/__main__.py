#!/usr/bin/env python3
"""Feeds every rendered file to the program that would read it, or to the nearest thing that runs offline.

usage: python3 .ci/readers TREE... [--only TARGET,...] [--readers NAME,...] [--jobs N]

A tree holds `<example>/<environment>/<target>/...`, or is the folder of one target. Each finding is a line
`path:line: reader: message`; the exit status is 1 if there is one. Warnings are findings, unless allow.yaml has them.
A file that no reader claims is a finding, and so, under WHARF_TEST_REQUIRE=all, is a tool that is not installed.
"""

import argparse
import os
import sys

import tools


def into_environment():
    """Starts again with the Python that .ci/run prepared: the readers need its packages, the caller's has none."""
    python = tools.CACHE / "bin" / "python3"
    if python.exists() and os.path.realpath(sys.prefix) != os.path.realpath(tools.CACHE):
        os.execv(python, [str(python), os.path.dirname(os.path.abspath(__file__)), *sys.argv[1:]])


if __name__ == "__main__":
    into_environment()
    if absent := tools.missing(["python:yaml", "python:jsonschema"]):
        print(f"readers: skipped: {', '.join(absent)} is not installed, see install_validators in .ci/run")
        sys.exit(os.environ.get("WHARF_TEST_REQUIRE") == "all")
    import runner

    ap = argparse.ArgumentParser(usage="python3 .ci/readers TREE... [--only TARGET,...] [--readers NAME,...] [--jobs N]")
    ap.add_argument("trees", nargs="+", metavar="TREE")
    ap.add_argument("--only", default="", help="targets, separated by commas")
    ap.add_argument("--readers", default="", help="readers, separated by commas")
    ap.add_argument("--jobs", type=int, default=os.cpu_count())
    asked = ap.parse_args()
    sys.exit(runner.main(asked.trees, set(filter(None, asked.only.split(","))), set(filter(None, asked.readers.split(","))), asked.jobs))
