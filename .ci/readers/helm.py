"""Helm: the chart is linted and rendered with each set of values; what comes out is read as manifests."""

import os
import re
import tempfile

import manifests
import schemas
import tools
from core import together

TOOLS = ("helm", *manifests.TOOLS)
BATCH = 1

# Charts ask for these before they use a custom resource.
CAPABILITIES = (
    "monitoring.coreos.com/v1",
    "external-secrets.io/v1",
    "cert-manager.io/v1",
    "keda.sh/v1alpha1",
    "bitnami.com/v1alpha1",
    "argoproj.io/v1alpha1",
)


def units(folder):
    """Each chart that is not a part of another."""
    if folder.target != "helm":
        return
    charts = [os.path.dirname(file.rel) for file in folder.files if file.name == "Chart.yaml"]
    for rel in charts:
        if not any(rel.startswith(os.path.join(other, "charts")) for other in charts if other != rel):
            chart = folder.by_rel[os.path.join(rel, "Chart.yaml")]
            beside = [file for file in folder.files if is_values(file.rel)]
            files = dict.fromkeys([chart, *folder.below(rel), *beside])
            yield together(folder, [file for file in files if file.suffix != ".md"], rel)


def is_values(rel):
    """Values of an environment, in the chart, in its `ci` folder, or beside it."""
    name = os.path.basename(rel)
    return bool(re.fullmatch(r"values[-.].+\.ya?ml|.+[-.]values\.ya?ml", name)) and "templates/" not in rel


def read(units):
    for unit in units:
        yield from read_chart(unit)


def read_chart(unit):
    chart = unit.file
    schema = schemas.shared("chart")
    if schema:
        yield from schemas.check(schema, chart)
    sets = [None, *(file for file in unit.files if is_values(file.rel))]
    for values in sets:
        given = ["-f", values.path] if values else []
        who = f"with {os.path.basename(values.path)}" if values else "with default values"
        linted = tools.run("helm", "lint", "--strict", "--kube-version", "1.28.0", unit.path, *given)
        for level, text in re.findall(r"^\[(WARNING|ERROR)\] (.*)$", linted.stdout, re.M):
            yield chart.finding(f"{who}: {text}", rule="lint")
        if linted.returncode and not re.search(r"^\[(WARNING|ERROR)\]", linted.stdout, re.M):
            yield chart.finding(f"{who}: {tools.said(linted)}", rule="lint")
        outputs = set()
        for capable in ([], [part for name in CAPABILITIES for part in ("--api-versions", name)]):
            made = tools.run(
                "helm", "template", "release", unit.path, "--kube-version", "1.28.0", "--namespace", "default", *given, *capable
            )
            if made.returncode:
                yield chart.finding(f"{who}: {made.stderr}", rule="template")
            elif made.stdout not in outputs:
                outputs.add(made.stdout)
                yield from built(unit, who, made.stdout)


def built(unit, who, text):
    """Findings at the template that made the object."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as out:
        out.write(text)
        out.flush()
        lines = text.splitlines()
        for _, line, message, rule in manifests.check([out.name], manifests.secrets_given(unit.folder.files)):
            source = next((at for at in reversed(lines[:line]) if at.startswith("# Source: ")), "")
            # `# Source: CHART/templates/service.yaml`, with the chart by its name and not by its folder.
            rel = os.path.join(unit.rel, source.removeprefix("# Source: ").partition("/")[2])
            file = unit.folder.by_rel.get(rel, unit.file)
            yield file.finding(f"{who}: {message}", rule=rule)
