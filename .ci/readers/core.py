"""What every reader shares: rendered files, the units that are read at once, findings."""

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

TARGETS = frozenset(
    """
    alertmanager ansible architecture argocd cloudformation cloudwatch compose dockerfile flux github-actions gitlab-ci
    grafana helm k6 kubernetes kustomize locust loki nginx openapi otel-collector prometheus readme runbook systemd
    terraform userdata
    """.split()
)

# What `wharf render` remembers beside the targets.
MEMORY = ".wharf-render.json"

VALIDATORS = Path(__file__).resolve().parent.parent / "validators"


@dataclass(frozen=True)
class File:
    """One rendered file."""

    path: str
    # As it is printed: below the tree that was asked for.
    shown: str
    target: str
    # Below the folder of its target, with slashes.
    rel: str
    digest: str

    @property
    def name(self):
        return os.path.basename(self.path)

    @property
    def suffix(self):
        return os.path.splitext(self.path)[1]

    def text(self):
        return Path(self.path).read_text(encoding="utf-8")

    def finding(self, message, line=1, rule=""):
        return Finding(self.shown, line, " ".join(str(message).split()), rule)


@dataclass(frozen=True)
class Folder:
    """What one target rendered for one environment."""

    path: str
    shown: str
    target: str
    files: tuple

    @cached_property
    def by_rel(self):
        return {file.rel: file for file in self.files}

    def below(self, rel):
        """The files in a folder of this folder, at any depth."""
        return tuple(file for file in self.files if not rel or file.rel.startswith(rel + "/"))

    def finding(self, message, rule=""):
        return Finding(self.shown, 1, " ".join(str(message).split()), rule)


@dataclass(frozen=True)
class Unit:
    """What is read at once: one file, or files that mean something only together."""

    files: tuple
    # The folder of the target, as some tools follow references out of what they are given.
    folder: Folder
    # Below the folder of the target: where a unit that is a folder lies.
    rel: str
    # The same key, the same findings: it is read once.
    key: str

    @property
    def file(self):
        return self.files[0]

    @property
    def path(self):
        return os.path.join(self.folder.path, self.rel)


@dataclass(frozen=True, order=True)
class Finding:
    path: str
    line: int
    message: str
    rule: str = ""


def digest(parts):
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def one(folder, file):
    """A unit of one file. Its name belongs to what is read: some tools go by it."""
    return Unit((file,), folder, file.rel, digest([file.target, file.name, file.digest]))


def together(folder, files, rel=""):
    """A unit of several files. Their digests are its key, whichever environment they are of."""
    parts = [part for file in sorted(files, key=lambda file: file.rel) for part in (file.rel, file.digest)]
    return Unit(tuple(files), folder, rel, digest([folder.target, rel, *parts]))


def walk(top):
    """The folders of targets below `top`, or `top` itself, and the files that belong to none."""
    top = os.path.abspath(top)
    base = os.path.dirname(top) if os.path.basename(top) in TARGETS else top
    folders, strays = [], []

    def descend(path):
        if os.path.basename(path) in TARGETS:
            folders.append(load(path, base))
            return
        for entry in sorted(os.scandir(path), key=lambda entry: entry.name):
            if entry.is_dir():
                descend(entry.path)
            elif entry.name != MEMORY:
                strays.append(os.path.relpath(entry.path, base))

    descend(top)
    return folders, strays


def load(path, base):
    target = os.path.basename(path)
    files = []
    for where, subfolders, names in os.walk(path):
        subfolders.sort()
        for name in sorted(names):
            full = os.path.join(where, name)
            content = hashlib.sha256(Path(full).read_bytes()).hexdigest()
            rel = os.path.relpath(full, path)
            files.append(File(full, os.path.relpath(full, base), target, rel, content))
    return Folder(path, os.path.relpath(path, base), target, tuple(files))
