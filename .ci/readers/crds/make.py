#!/usr/bin/env python3
"""Makes crds.json.gz and ORIGIN anew: the schemas of the custom resources that are rendered, as strict JSON Schema.

usage: make.py      needs go and the readers' Python (pyyaml)

Taken from the definitions in each project's own Go module, or made from its Go types by the generator that the project
uses itself. What the API server prunes in silence is an error here: an unknown field of a structural schema.
"""

import gzip
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
CONTROLLER_GEN = "sigs.k8s.io/controller-tools/cmd/controller-gen@v0.19.0"

# Module, version, where its definitions are ("" = made from its Go types), the kinds that are kept.
SOURCES = [
    ("github.com/external-secrets/external-secrets", "v1.3.2", "config/crds/bases",
     "ExternalSecret ClusterExternalSecret SecretStore ClusterSecretStore PushSecret"),
    ("github.com/bitnami-labs/sealed-secrets", "v0.40.0", "helm/sealed-secrets/crds", "SealedSecret"),
    ("github.com/kedacore/keda/v2", "v2.16.1", "config/crd/bases",
     "ScaledObject ScaledJob TriggerAuthentication ClusterTriggerAuthentication"),
    ("github.com/prometheus-operator/prometheus-operator", "v0.85.0", "example/prometheus-operator-crd",
     "ServiceMonitor PodMonitor PrometheusRule Probe ScrapeConfig AlertmanagerConfig"),
    ("github.com/cert-manager/cert-manager", "v1.21.2", "deploy/crds", "Certificate Issuer ClusterIssuer"),
    ("github.com/argoproj/argo-cd/v3", "v3.5.7", "manifests/crds", "Application ApplicationSet AppProject"),
    ("github.com/argoproj/argo-rollouts", "v1.10.1", "manifests/crds",
     "Rollout AnalysisTemplate ClusterAnalysisTemplate AnalysisRun"),
    ("github.com/fluxcd/kustomize-controller", "v1.9.6", "config/crd/bases", "Kustomization"),
    ("github.com/fluxcd/source-controller", "v1.9.6", "config/crd/bases",
     "GitRepository HelmRepository OCIRepository HelmChart Bucket"),
    ("github.com/fluxcd/helm-controller/api", "v1.5.0", "", "HelmRelease"),
    ("github.com/fluxcd/notification-controller/api", "v1.8.0", "", "Alert Provider Receiver"),
    ("k8s.io/kops", "v1.32.1", "upup/models/cloudup/resources/addons/aws-load-balancer-controller.addons.k8s.io",
     "TargetGroupBinding IngressClassParams"),
]

STRINGS = {"type": "object", "additionalProperties": {"type": "string"}}
# What a manifest may say of an object's metadata; the definitions leave it to the API server.
METADATA = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", "maxLength": 253},
        "namespace": {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63},
        "labels": STRINGS,
        "annotations": STRINGS,
        "finalizers": {"type": "array", "items": {"type": "string"}},
    },
}
# Nothing a JSON Schema validator can act on.
DROPPED = {"description", "default", "example", "externalDocs", "title", "format"}


def module(path, version):
    out = subprocess.run(["go", "mod", "download", "-json", f"{path}@{version}"], check=True, capture_output=True, text=True)
    return Path(json.loads(out.stdout)["Dir"])


def definitions(folder, sub):
    """The text of every definition of a module."""
    if sub:
        for file in sorted((folder / sub).iterdir()):
            if file.is_file():
                # An add-on of kops is a template, and whole lines of it are conditions.
                text = re.sub(r"^\{\{.*\}\}$", "", file.read_text(), flags=re.M)
                yield from re.split(r"^---\s*$", text, flags=re.M)
        return
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "api"
        shutil.copytree(folder, copy)
        subprocess.run(["chmod", "-R", "u+w", copy], check=True)
        out = subprocess.run(
            ["go", "run", CONTROLLER_GEN, "crd", "paths=./...", "output:crd:stdout"],
            cwd=copy, check=True, capture_output=True, text=True,
        )
        yield from out.stdout.split("\n---\n")


def strict(node, structural=True):
    """One schema; `structural` is false below anyOf and the like, which name properties without listing all of them."""
    out = {}
    for key, value in node.items():
        if key in DROPPED or key.startswith("x-kubernetes-") or key == "nullable":
            continue
        if key == "properties":
            out[key] = {name: strict(sub, structural) for name, sub in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            out[key] = strict(value, structural)
        elif key in ("anyOf", "oneOf", "allOf"):
            out[key] = [strict(sub, False) for sub in value]
        elif key == "not":
            out[key] = strict(value, False)
        else:
            out[key] = value
    if node.get("x-kubernetes-int-or-string"):
        out["type"] = ["integer", "string"]
    if node.get("nullable") and "type" in out:
        out["type"] = [*([out["type"]] if isinstance(out["type"], str) else out["type"]), "null"]
    open_ended = node.get("x-kubernetes-preserve-unknown-fields") or node.get("x-kubernetes-embedded-resource")
    if structural and "properties" in node and "additionalProperties" not in node and not open_ended:
        out["additionalProperties"] = False
    return out


class Loader(yaml.CSafeLoader):
    """YAML as Kubernetes reads it: a lone `=` is a string."""


Loader.add_constructor("tag:yaml.org,2002:value", Loader.construct_yaml_str)


def schemas(text):
    """`group/version/Kind` and the schema of each version that is served."""
    crd = yaml.load(text, Loader)
    spec = crd["spec"]
    for version in spec["versions"]:
        if version["served"]:
            schema = strict(version["schema"]["openAPIV3Schema"])
            schema["properties"]["metadata"] = METADATA
            # The controller writes it, a manifest does not.
            schema["properties"].pop("status", None)
            schema["required"] = sorted({*schema.get("required", []), "apiVersion", "kind", "metadata"} - {"status"})
            yield f"{spec['group']}/{version['name']}/{spec['names']['kind']}", schema


def main():
    found, origin = {}, []
    for path, version, sub, kinds in SOURCES:
        wanted = set(kinds.split())
        folder = module(path, version)
        for text in definitions(folder, sub):
            kind = re.search(r"^    kind: (\w+)$", text, re.M)
            if re.search(r"^kind: CustomResourceDefinition$", text, re.M) and kind and kind[1] in wanted:
                found |= dict(schemas(text))
        missing = wanted - {name.rsplit("/", 1)[1] for name in found}
        if missing:
            raise SystemExit(f"{path}@{version} defines no {', '.join(sorted(missing))}")
        origin.append(f"{path} {version}: {', '.join(sorted(wanted))}")
    packed = json.dumps(found, sort_keys=True, separators=(",", ":")).encode()
    # No time stamp: the same definitions give the same bytes.
    (HERE / "crds.json.gz").write_bytes(gzip.compress(packed, 9, mtime=0))
    (HERE / "ORIGIN").write_text(
        "crds.json.gz is made by make.py from the custom resource definitions of these Go modules, all under the\n"
        "Apache License 2.0; descriptions are left out.\n\n" + "".join(f"{line}\n" for line in origin)
    )


if __name__ == "__main__":
    main()
