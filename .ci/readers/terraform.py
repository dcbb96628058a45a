"""Terraform: its own formatter and validator (against stand-in providers), and declarations that nothing uses."""

import json
import os
import re
import shutil
import sys
import tempfile

import tools
from core import VALIDATORS, one, together

TOOLS = ("terraform", "python:grpc", "python:grpc_tools", "python:msgpack")
# A process starts its stand-in providers once, whatever it is given.
BATCH = 40

# Read by `terraform fmt` under another name.
FORMATTED = (".tfvars.example", ".tfbackend", ".tfbackend.example")
PROVIDERS = ("tf-aws-schema-full.json.gz", "tf-other-schemas.json")
CALL = re.compile(r'^\s*source\s*=\s*"(\.\.?/[^"]*)"', re.M)


def units(folder):
    """Every folder with `.tf` files, with the modules it calls; then what `terraform` reads as single files."""
    if folder.target != "terraform":
        return
    roots = sorted({os.path.dirname(file.rel) for file in folder.files if file.suffix == ".tf"})
    for root in roots:
        files = [file for path in sorted(called(folder, root)) for file in in_folder(folder, path)]
        yield together(folder, sorted(files, key=lambda file: os.path.dirname(file.rel) != root), root)
    for file in folder.files:
        if file.name.endswith(FORMATTED) or file.suffix == ".tfvars":
            # Values in a folder without a module of its own (`dr/`) are for the root above it.
            beside = os.path.dirname(file.rel)
            yield together(folder, [file, *in_folder(folder, beside if beside in roots else os.path.dirname(beside))], file.rel)


def in_folder(folder, rel):
    """The files that Terraform sees as one module, and those that it reads by name."""
    return [
        file
        for file in folder.files
        if os.path.dirname(file.rel) == rel and file.suffix == ".tf"
        or file.rel.startswith(os.path.join(rel, "")) and named(folder, rel, file)
    ]


def named(folder, rel, file):
    """Whether a module takes a file with `file()`, `templatefile()` or the like."""
    if file.suffix in (".tf", ".tfvars", ".md"):
        return False
    return any(
        f"/{os.path.relpath(file.rel, rel or '.')}" in other.text()
        for other in folder.files
        if os.path.dirname(other.rel) == rel and other.suffix == ".tf"
    )


def called(folder, root, seen=None):
    """This module and every local one it calls, at any depth."""
    seen = set() if seen is None else seen
    if root not in seen:
        seen.add(root)
        for file in folder.files:
            if os.path.dirname(file.rel) == root and file.suffix == ".tf":
                for source in CALL.findall(file.text()):
                    called(folder, os.path.normpath(os.path.join(root, source)).removeprefix("."), seen)
    return seen


def is_called(unit):
    """Whether another module of the folder calls this one."""
    folders = {os.path.dirname(file.rel) for file in unit.folder.files if file.suffix == ".tf"}
    return any(unit.rel in called(unit.folder, folder) for folder in folders if folder != unit.rel)


def read(units):
    values = [unit for unit in units if unit.file.suffix != ".tf"]
    roots = [unit for unit in units if unit.file.suffix == ".tf"]
    for unit in values:
        yield from formatted(unit.file)
        yield from undeclared(unit)
    for unit in roots:
        own = [file for file in unit.files if os.path.dirname(file.rel) == unit.rel]
        for file in own:
            yield from formatted(file)
        yield from unused(own)
    # A module that another one calls is validated with it.
    yield from validated([unit for unit in roots if not is_called(unit)])


def formatted(file):
    if not file.name.endswith((".tf", ".tfvars", *FORMATTED)):
        return
    text = file.text()
    result = tools.run("terraform", "fmt", "-no-color", "-", stdin=text)
    if result.returncode:
        line = re.search(r"line (\d+)", result.stderr)
        yield file.finding(result.stderr, int(line[1]) if line else 1, "fmt")
    elif result.stdout != text:
        pairs = zip(text.splitlines(), result.stdout.splitlines())
        line, want = next(((n, new) for n, (old, new) in enumerate(pairs, 1) if old != new), (1, ""))
        yield file.finding(f"`terraform fmt` would change this to: {want}", line, "fmt")


def undeclared(unit):
    """Values for variables that the root beside them does not have."""
    if "tfbackend" in unit.file.name:
        return
    declared = {name for file in unit.files[1:] for name in re.findall(r'^variable "(\w+)"', file.text(), re.M)}
    for number, text in enumerate(unit.file.text().splitlines(), 1):
        name = re.match(r"(\w+)\s*=", text)
        if name and name[1] not in declared:
            yield unit.file.finding(f"no variable {name[1]!r} is declared beside this file", number, "undeclared")


def unused(files):
    """Variables, locals and data sources of one module that nothing in it refers to."""
    whole = "\n".join(re.sub(r"(^|\s)(#|//).*$", "", file.text(), flags=re.M) for file in files if file.suffix == ".tf")
    for file in files:
        if file.suffix != ".tf":
            continue
        for number, text in enumerate(file.text().splitlines(), 1):
            variable = re.match(r'variable "(\w+)"', text)
            if variable and not re.search(rf"\bvar\.{variable[1]}\b", whole):
                yield file.finding(f"variable {variable[1]!r} is never used", number, "unused")
            data = re.match(r'data "(\w+)" "(\w+)"', text)
            if data and not re.search(rf"\bdata\.{data[1]}\.{data[2]}\b", whole):
                yield file.finding(f"data.{data[1]}.{data[2]} is never used", number, "unused")
        for block in re.finditer(r"^locals \{\n(.*?)^\}", file.text(), re.M | re.S):
            begin = file.text()[: block.start(1)].count("\n") + 1
            for offset, text in enumerate(block[1].splitlines()):
                local = re.match(r"  (\w+)\s*=", text)
                if local and not re.search(rf"\blocal\.{local[1]}\b", whole):
                    yield file.finding(f"local {local[1]!r} is never used", begin + offset, "unused")


def validated(roots):
    """`terraform validate` in a copy of each folder."""
    if not roots:
        return
    sys.path.insert(0, str(VALIDATORS))
    import tfstub

    found = []
    for name in PROVIDERS:
        path = VALIDATORS / name
        text = tfstub.gzip.open(path).read() if name.endswith(".gz") else path.read_bytes()
        schema = json.loads(text)
        found += [schema] if "resource" in schema else schema.values()
    started = {f"registry.terraform.io/{schema['provider']}": tfstub.start(schema) for schema in found}
    attach = json.dumps({name: address for name, (_, address) in started.items()})
    try:
        with tempfile.TemporaryDirectory() as scratch:
            copies = {}
            for unit in roots:
                copy = copies.setdefault(unit.folder.path, os.path.join(scratch, str(len(copies))))
                if not os.path.isdir(copy):
                    shutil.copytree(unit.folder.path, copy)
                yield from validate(unit, copy, attach)
    finally:
        for server, _ in started.values():
            server.stop(None)


def validate(unit, copy, attach):
    where = os.path.join(copy, unit.rel)
    env = {"TF_REATTACH_PROVIDERS": attach}
    result = tools.run("terraform", "init", "-no-color", "-backend=false", "-input=false", cwd=where, **env)
    if result.returncode:
        yield unit.file.finding(result.stderr or result.stdout, rule="init")
        return
    report = tools.parsed(tools.run("terraform", "validate", "-json", cwd=where, **env))
    for problem in report["diagnostics"]:
        at = problem.get("range") or {"filename": unit.file.name, "start": {"line": 1}}
        rel = os.path.relpath(os.path.normpath(os.path.join(where, at["filename"])), copy)
        file = unit.folder.by_rel.get(rel, unit.file)
        yield file.finding(f"{problem['summary']}: {problem.get('detail', '')}", at["start"]["line"], "validate")
