"""GitLab CI: its schema, jobs that refer to others, and the shell in their scripts."""

import re

import places
import schemas
import shell
import tools
from core import one

TOOLS = ("check-jsonschema", "shellcheck")
BATCH = 30

NAME = re.compile(r"gitlab-ci\.ya?ml$|(^|/)\.gitlab/ci/[^/]+\.ya?ml$")
# Keys at the top that are no jobs.
RESERVED = {"default", "include", "stages", "variables", "workflow", "spec", "image", "services", "cache", "before_script", "after_script", "pages"}
BUILT_IN_STAGES = [".pre", "build", "test", "deploy", ".post"]


def units(folder):
    for file in folder.files:
        if NAME.search(file.rel):
            yield one(folder, file)


def read(units):
    yield from schemas.vendor("gitlab-ci", units)
    for unit in units:
        for value, node in places.load(unit.file)[0]:
            if isinstance(value, dict):
                yield from references(unit.file, value, node)
                yield from scripts(unit.file, value, node)


def references(file, value, node):
    jobs = {name: job for name, job in value.items() if name not in RESERVED and isinstance(job, dict)}
    stages = [".pre", *value["stages"], ".post"] if "stages" in value else BUILT_IN_STAGES

    def finding(name, key, message):
        return file.finding(f"{name}: {message}", places.line(node, [name, key]), "reference")

    for name, job in jobs.items():
        if not name.startswith(".") and job.get("stage", "test") not in stages:
            yield finding(name, "stage", f"there is no stage {job.get('stage', 'test')!r}")
        for base in [job["extends"]] if isinstance(job.get("extends"), str) else job.get("extends") or []:
            if base not in jobs:
                yield finding(name, "extends", f"extends {base!r}, which is not there")
        for key in ("needs", "dependencies"):
            for need in job.get(key) or []:
                other = need if isinstance(need, str) else need.get("job")
                optional = isinstance(need, dict) and (need.get("optional") or need.get("pipeline") or need.get("project"))
                if other and other not in jobs and not optional:
                    yield finding(name, key, f"{key} {other!r}, which is not there")


def scripts(file, value, node):
    """The lines of each job as one script, which is how the runner runs them."""
    for name, job in value.items():
        for key in ("before_script", "script", "after_script"):
            lines = job.get(key) if isinstance(job, dict) else None
            if lines and all(isinstance(line, str) for line in lines):
                # Variables come from the pipeline, and the runner stops at the first failure: what shellcheck says of
                # names without a value and of `cd` means nothing here.
                for _, message, rule in shell.checked("\n".join(lines), "bash", ["SC2148", "SC2154", "SC2164"]):
                    yield file.finding(f"{name}: {key}: {message}", places.line(node, [name, key]), rule)
