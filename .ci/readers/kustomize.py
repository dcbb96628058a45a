"""Kustomize: each overlay is built, and what comes out is read as manifests."""

import os
import tempfile

import manifests
import places
import schemas
import tools
from core import together

TOOLS = ("kustomize", *manifests.TOOLS)
BATCH = 4

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
REFERENCES = ("resources", "components", "bases", "crds", "configurations", "transformers", "generators", "patchesStrategicMerge")


def units(folder):
    """Each folder that no other refers to, with all files that it is built from."""
    if folder.target == "helm":
        return
    roots = {os.path.dirname(file.rel): file for file in folder.files if file.name in NAMES}
    reached = {rel: reach(folder, roots, rel, set()) for rel in roots}
    inner = {rel for root, (_, folders) in reached.items() for rel in folders if rel != root}
    for rel in sorted(set(roots) - inner):
        scripts = [file for file in folder.files if file.suffix == ".sh" and os.path.dirname(file.rel) in ("", rel)]
        files = [roots[rel], *sorted(reached[rel][0] - {roots[rel]}, key=lambda file: file.rel), *scripts]
        yield together(folder, files, rel)


def reach(folder, roots, rel, seen):
    """The files and folders that a build of this folder reads."""
    if rel in seen:
        return set(), seen
    seen.add(rel)
    files = {roots[rel]}
    for value, _ in places.load(roots[rel])[0]:
        for name in references(value):
            path = os.path.normpath(os.path.join(rel, name))
            if path in roots:
                files |= reach(folder, roots, path, seen)[0]
            elif path in folder.by_rel:
                files.add(folder.by_rel[path])
    return files, seen


def references(value):
    for key in REFERENCES:
        yield from (name for name in value.get(key) or [] if isinstance(name, str))
    for patch in (value.get("patches") or []) + (value.get("patchesJson6902") or []) + (value.get("replacements") or []):
        if patch.get("path"):
            yield patch["path"]
    for generator in (value.get("configMapGenerator") or []) + (value.get("secretGenerator") or []):
        for name in (generator.get("files") or []) + (generator.get("envs") or []) + [generator.get("env")]:
            if name:
                yield name.rpartition("=")[2]


def read(units):
    schema = schemas.shared("kustomization")
    for unit in units:
        for file in unit.files:
            if schema and file.name in NAMES:
                yield from schemas.check(schema, file)
        result = tools.run("kustomize", "build", unit.path)
        # A deprecated field is a warning, and goes on to work for a while only.
        for line in result.stderr.splitlines():
            if line.strip():
                yield unit.file.finding(line, rule="build")
        if result.returncode == 0:
            yield from built(unit, result.stdout)


def built(unit, text):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as out:
        out.write(text)
        out.flush()
        for _, _, message, rule in manifests.check([out.name], manifests.secrets_given(above(unit))):
            yield unit.file.finding(f"built: {message}", rule=rule)


def above(unit):
    """The files of the folder that is built and of those above it: a script there makes Secrets for all below."""
    return [file for file in unit.folder.files if os.path.join(unit.rel, "").startswith(os.path.join(os.path.dirname(file.rel), ""))]
