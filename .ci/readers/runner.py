"""Finds out what there is to read, reads it in parallel, prints what was found."""

import concurrent.futures
import fnmatch
import importlib
import os
import time
import traceback
from pathlib import Path

import places
import tools
from core import Finding, walk

# The slow ones first, so that nothing long is left over for the end.
READERS = """
    ansible terraform helm kustomize kubernetes cloudformation locust grafana github_actions k6 prometheus compose
    openapi nginx systemd systemd_machine shell mermaid dockerfile gitlab_ci alertmanager loki otel cloudwatch aws_input settings
    python yaml_files json_files markdown svg plain
""".split()

ALLOW = Path(__file__).with_name("allow.yaml")


def main(trees, only, readers, jobs):
    begin = time.monotonic()
    folders, findings = [], []
    for tree in trees:
        found, strays = walk(tree)
        folders += [folder for folder in found if not only or folder.target in only]
        if not only:
            findings += [("tree", Finding(stray, 1, "belongs to no target")) for stray in strays]
    required = os.environ.get("WHARF_TEST_REQUIRE") == "all"
    work, claimed, lines = [], set(), {}
    for name in READERS:
        if readers and name not in readers:
            continue
        module = importlib.import_module(name)
        units = [unit for folder in folders for unit in module.units(folder)]
        if getattr(module, "CLAIMS", True):
            claimed |= {file.path for unit in units for file in unit.files}
        absent = tools.missing(module.TOOLS) if units else []
        if absent:
            reason = f"{', '.join(absent)} is not installed"
            lines[name] = f"{name}: skipped: {reason}"
            if required:
                findings.append((name, Finding(folders[0].shown, 1, reason)))
            continue
        distinct = list({unit.key: unit for unit in reversed(units)}.values())[::-1]
        work += [(name, part) for part in batches(distinct, module.BATCH, jobs)]
        lines[name] = [len(units), len(distinct), 0.0, 0]
    if not readers:
        for folder in folders:
            findings += [("tree", file.finding("no reader knows this file")) for file in folder.files if file.path not in claimed]
    for name, seconds, found in results(work, jobs):
        lines[name][2] += seconds
        findings += [(name, finding) for finding in found]
    return report(lines, findings, time.monotonic() - begin)


def batches(units, size, jobs):
    """Parts of at most `size`, and no fewer than there are processes."""
    size = max(1, min(size, -(-len(units) // jobs)))
    return [units[start : start + size] for start in range(0, len(units), size)]


def results(work, jobs):
    if not work:
        return
    with concurrent.futures.ProcessPoolExecutor(jobs) as pool:
        for done in concurrent.futures.as_completed([pool.submit(read, name, units) for name, units in work]):
            yield done.result()


def read(name, units):
    """One job, in a process of its own."""
    begin = time.monotonic()
    found = []
    try:
        for finding in importlib.import_module(name).read(units):
            found.append(finding)
    except Exception as error:  # noqa: BLE001 - whatever makes a reader fail, its files have not been read, and that is said
        where = traceback.extract_tb(error.__traceback__)[-1]
        found += [unit.file.finding(f"could not be read: {error!r} at {where.name}:{where.lineno}") for unit in units]
    return name, time.monotonic() - begin, found


def report(lines, findings, seconds):
    allowed = [entry for value, _ in places.documents(ALLOW.read_text()) for entry in value]
    left = sorted({(finding, name) for name, finding in findings if not any(admits(entry, name, finding) for entry in allowed)})
    for name, line in lines.items():
        if isinstance(line, list) and line[0]:
            print(f"{name}: {line[0]} read ({line[1]} different) in {line[2]:.1f} s")
        elif isinstance(line, str):
            print(line)
    for finding, name in left:
        rule = f"[{finding.rule}] " if finding.rule else ""
        print(f"{finding.path}:{finding.line}: {name}: {rule}{finding.message}")
    suppressed = len(set(findings)) - len(left)
    print(f"readers: {len(left)} findings, {suppressed} allowed, {seconds:.0f} s")
    return 1 if left else 0


def admits(entry, name, finding):
    return entry["reader"] == name and entry["rule"] == finding.rule and fnmatch.fnmatch(finding.path, entry["path"])
