"""Kubernetes objects: the schemas of each version, references between them, and custom resources by their own schemas.

Used by the readers of plain manifests, of overlays and of charts.
"""

import gzip
import json
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import jsonschema

import places
import schemas
import tools
from core import VALIDATORS

TOOLS = ("python:kubernetes_validate", "python:yaml", "python:jsonschema")
VERSIONS = "1.28,1.29,1.30,1.31,1.32"
CRDS = Path(__file__).resolve().parent / "crds" / "crds.json.gz"
# Groups of Kubernetes itself that have a dot in their name.
OWN_GROUP = re.compile(r"(^|\.)k8s\.io$")


def check(paths, given=()):
    """(path, line, message, rule) for a set of files that are applied together, where the Secrets `given` are there."""
    sets = {}
    for path in paths:
        text = Path(path).read_text()
        try:
            sets[path] = [(value, node) for value, node in places.documents(text) if isinstance(value, dict)]
        except places.yaml.YAMLError as error:
            yield path, error.problem_mark.line + 1 if getattr(error, "problem_mark", None) else 1, str(error), "yaml"
            return
    objects = [(path, value, node) for path, values in sets.items() for value, node in values]
    if not objects:
        return
    made = set(secrets_made([value for _, value, _ in objects])) | set(given)
    for path, line, message, rule in checked(paths, sets):
        missing = re.search(r": Secret '([^']+)' is not in this set$", message)
        if not (missing and missing[1] in made):
            yield path, line, message, rule
    for path, value, node in objects:
        for at, message in custom(value):
            yield path, places.line(node, at), f"{value.get('kind')}/{name_of(value)}: {message}", "schema"
    yield from links(objects)


def name_of(value):
    return (value.get("metadata") or {}).get("name")


def group_of(value):
    return str(value.get("apiVersion", "")).rpartition("/")[0]


def checked(paths, sets):
    """What k8scheck.py says, with the versions that say the same taken together."""
    result = tools.run("python3", VALIDATORS / "k8scheck.py", "-k", VERSIONS, "--crd-ok", *paths)
    if result.returncode not in (0, 1) or "objects x" not in result.stderr:
        raise RuntimeError(tools.said(result)[-800:])
    versions = defaultdict(list)
    for text in result.stdout.splitlines():
        at = re.match(r"(?:(error|warning): )?(.+?)\[(\d+)\] (.*)", text)
        if not at or at[2] not in sets:
            continue
        version = re.search(r": (1\.\d+): | in (1\.\d+)$", at[4])
        number = version and (version[1] or version[2])
        message = at[4].replace(f": {number}: ", ": ").replace(f" in {number}", "") if number else at[4]
        versions[at[2], int(at[3]), message, at[1] or "schema"].append(number)
    for (path, index, message, rule), numbers in versions.items():
        asked = VERSIONS.split(",")
        some = f" (Kubernetes {', '.join(numbers)})" if numbers[0] and len(numbers) < len(asked) else ""
        # Its count leaves out empty documents, as ours does, but enters lists.
        documents = sets[path]
        node = documents[min(index, len(documents) - 1)][1]
        yield path, places.line(node, keys(message)), message + some, rule


def keys(message):
    """The path in `Kind/name: spec.containers.0: message`."""
    path = re.match(r"[^:]*: ([\w.-]+): ", message)
    return [int(part) if part.isdigit() else part for part in path[1].split(".")] if path else []


@cache
def definitions():
    return {name: jsonschema.Draft7Validator(schema) for name, schema in json.loads(gzip.open(CRDS).read()).items()}


def custom(value):
    """A custom resource against its own schema; a kind that is not known is not waved through."""
    group = group_of(value)
    if "." not in group or OWN_GROUP.search(group):
        return
    known = definitions().get(f"{value['apiVersion']}/{value.get('kind')}")
    if known is None:
        yield [], f"no schema of {value['apiVersion']} {value.get('kind')} is here to check it by"
        return
    for error in known.iter_errors(value):
        yield from schemas.explained(error)


def secrets_given(files):
    """The Secrets that a person makes beforehand, by the script or the command that is rendered for it."""
    for file in files:
        if file.suffix in (".sh", ".md"):
            yield from re.findall(r"create secret (?:generic|tls|docker-registry) [\"']?([\w.-]+)", file.text())
            yield from re.findall(r"^begin [\w.-]+ ([\w.-]+)$", file.text(), re.M)


def secrets_made(values):
    """The Secrets that a controller makes from an object of the set."""
    for value in values:
        kind, spec = value.get("kind"), value.get("spec") or {}
        if kind == "ExternalSecret":
            yield (spec.get("target") or {}).get("name") or name_of(value)
        elif kind == "SealedSecret":
            yield name_of(value)
        elif kind == "Certificate":
            yield spec.get("secretName")
        elif kind == "Ingress" and any("cert-manager.io/" in key for key in (value["metadata"].get("annotations") or {})):
            yield from (tls.get("secretName") for tls in spec.get("tls") or [])


def links(objects):
    """References of custom resources that point at nothing, where what they name belongs into the same set."""
    there = {(value.get("kind"), name_of(value)) for _, value, _ in objects}
    services = [value for _, value, _ in objects if value.get("kind") == "Service"]
    for path, value, node in objects:
        who, kind, spec = f"{value.get('kind')}/{name_of(value)}", value.get("kind"), value.get("spec") or {}

        def missing(at, what, name):
            return path, places.line(node, ["spec", *at]), f"{who}: {what} {name!r} is not in this set", "link"

        if kind == "ExternalSecret":
            store = spec.get("secretStoreRef") or {}
            if (store.get("kind", "SecretStore"), store.get("name")) not in there:
                yield missing(["secretStoreRef"], store.get("kind", "SecretStore"), store.get("name"))
        elif kind == "ScaledObject":
            ref = spec.get("scaleTargetRef") or {}
            if (ref.get("kind", "Deployment"), ref.get("name")) not in there:
                yield missing(["scaleTargetRef"], ref.get("kind", "Deployment"), ref.get("name"))
            for index, trigger in enumerate(spec.get("triggers") or []):
                auth = trigger.get("authenticationRef") or {}
                if auth and (auth.get("kind", "TriggerAuthentication"), auth.get("name")) not in there:
                    yield missing(["triggers", index], auth.get("kind", "TriggerAuthentication"), auth.get("name"))
        elif kind == "TargetGroupBinding":
            name = (spec.get("serviceRef") or {}).get("name")
            if ("Service", name) not in there:
                yield missing(["serviceRef"], "Service", name)
        elif kind == "ServiceMonitor":
            wanted = (spec.get("selector") or {}).get("matchLabels") or {}
            elsewhere = spec.get("namespaceSelector")
            hit = [one for one in services if wanted.items() <= ((one["metadata"].get("labels") or {}).items())]
            if wanted and services and not hit and not elsewhere:
                yield missing(["selector"], "a Service with the labels", wanted)
            ports = {port.get("name") for one in hit for port in one["spec"].get("ports") or []}
            for index, endpoint in enumerate(spec.get("endpoints") or []):
                if hit and "port" in endpoint and endpoint["port"] not in ports:
                    yield missing(["endpoints", index], "a Service port", endpoint["port"])
        elif group_of(value) in ("kustomize.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io"):
            chart = ((spec.get("chart") or {}).get("spec") or {}).get("sourceRef")
            # The source of the cluster itself is made when Flux is installed, not rendered.
            for ref in filter(None, (spec.get("sourceRef"), chart)):
                if (ref.get("kind"), ref.get("name")) not in there and ref.get("name") != "flux-system":
                    yield missing(["sourceRef"], ref.get("kind"), ref.get("name"))
        elif kind == "Application" and group_of(value) == "argoproj.io":
            project = spec.get("project")
            if project != "default" and ("AppProject", project) not in there:
                yield missing(["project"], "AppProject", project)
