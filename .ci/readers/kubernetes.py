"""Plain manifests, of whatever target: all of a folder that are applied together."""

import os

import manifests
import places
from core import together

TOOLS = manifests.TOOLS
BATCH = 6

# `kubectl apply -R -f` takes the whole folder; elsewhere, manifests lie among other files.
WHOLE = ("kubernetes", "argocd", "flux")
# They have readers that know how their files go together.
ELSEWHERE = ("helm", "kustomize", "ansible", "github-actions", "gitlab-ci", "cloudformation", "compose", "openapi")


def is_manifest(file):
    if file.suffix not in (".yaml", ".yml") or "apiVersion:" not in file.text():
        return False
    values = [value for value, _ in places.load(file)[0]]
    return bool(values) and all(
        isinstance(value, dict)
        and {"apiVersion", "kind"} <= set(value)
        and not str(value["apiVersion"]).startswith("kustomize.config.k8s.io/")
        for value in values
    )


def units(folder):
    if folder.target in ELSEWHERE:
        return
    if folder.target in WHOLE:
        sets = {"": [file for file in folder.files if is_manifest(file) or is_broken(file)]}
    else:
        sets = {}
        for file in filter(is_manifest, folder.files):
            sets.setdefault(os.path.dirname(file.rel), []).append(file)
    for rel, files in sets.items():
        if files:
            # The script that makes Secrets is a shell script to its own reader; here it says what will be there.
            yield together(folder, [*files, *(file for file in folder.files if file.suffix == ".sh")], rel)


def is_broken(file):
    """A file that is no YAML is a manifest that has gone wrong."""
    return file.suffix in (".yaml", ".yml") and bool(places.load(file)[1])


def read(units):
    for unit in units:
        files = {file.path: file for file in unit.files if file.suffix != ".sh"}
        for path, line, message, rule in manifests.check(list(files), manifests.secrets_given(unit.files)):
            yield files[path].finding(message, line, rule)
