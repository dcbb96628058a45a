//! What the API server would refuse, and what would wait for ever: illegal names, and references into nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use wharf_base::files::FileSet;

use super::reading::{Checked, documents, entries, items, known, pattern, text, unique};

/// Kinds whose names are DNS labels (RFC 1123); a Service's begins with a letter besides (RFC 1035).
const LABELS: [&str; 4] = ["Service", "Namespace", "StatefulSet", "CronJob"];

/// Checks the objects of all files together; the first problem is told.
pub(super) fn check(files: &FileSet) -> Checked {
    let mut objects = vec![];
    for (path, file) in files {
        if !path.ends_with(".yaml") {
            continue;
        }
        objects.extend(
            documents(path, &file.text)?
                .into_iter()
                .filter(|document| document["kind"].is_string())
                .map(|document| (path.clone(), document)),
        );
    }
    let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, object) in &objects {
        let kind = text(&object["kind"]);
        let name = text(&object["metadata"]["name"]);
        if name.is_empty() {
            continue;
        }
        legal(kind, name).map_err(|problem| format!("{path}: {problem}"))?;
        let space = text(&object["metadata"]["namespace"]);
        if !names
            .entry(kind.to_owned())
            .or_default()
            .insert(format!("{space}/{name}"))
        {
            return Err(format!("{path}: two {kind} are called {name}"));
        }
        for (key, value) in object["metadata"]["labels"]
            .as_object()
            .into_iter()
            .flatten()
        {
            let value = text(value);
            if value.len() > 63 || !is_label_value(value) {
                return Err(format!("{path}: the label {key} of {name} is `{value}`"));
            }
        }
    }
    for (path, object) in &objects {
        pod(
            &object["spec"]["template"]["spec"],
            &object["spec"]["volumeClaimTemplates"],
        )
        .and_then(|()| {
            pod(
                &object["spec"]["jobTemplate"]["spec"]["template"]["spec"],
                &Value::Null,
            )
        })
        .map_err(|problem| format!("{path}: {problem}"))?;
        let selector = &object["spec"]["selector"];
        let mut templates = objects
            .iter()
            .map(|(_, other)| &other["spec"]["template"]["metadata"]["labels"]);
        if object["kind"] == "Service"
            && selector.is_object()
            && !templates.any(|labels| entries(selector).all(|(key, value)| labels[key] == *value))
        {
            return Err(format!("{path}: no pod has the labels {selector}"));
        }
    }
    for (path, object) in &objects {
        let space = text(&object["metadata"]["namespace"]).to_owned();
        let mut wanted = vec![];
        references(object, &mut wanted);
        for (kind, name) in wanted {
            let there = |kind: &str| {
                names
                    .get(kind)
                    .is_some_and(|names| names.contains(&format!("{space}/{name}")))
            };
            // An operator, or somebody by hand, makes the Secret of these.
            let made = match kind {
                "Secret" => {
                    ["Secret", "ExternalSecret", "SealedSecret", "Certificate"]
                        .iter()
                        .any(|kind| there(kind))
                        || names.keys().all(|kind| !kind.contains("Secret"))
                        || name.ends_with("-tls")
                }
                kind => there(kind),
            };
            let known = name == "default" || name.starts_with("kube-root-ca");
            if !made && !known {
                return Err(format!(
                    "{path}: {kind} {name} is referred to and not there"
                ));
            }
        }
    }
    Ok(())
}

/// The names within a pod; `claims` become volumes of it.
fn pod(pod: &Value, claims: &Value) -> Checked {
    let claims = items(claims).map(|claim| text(&claim["metadata"]["name"]));
    let volumes = items(&pod["volumes"]).map(|one| text(&one["name"]));
    let volumes: Vec<&str> = volumes.chain(claims).collect();
    let containers = || items(&pod["containers"]).chain(items(&pod["initContainers"]));
    let names: Vec<&str> = containers().map(|one| text(&one["name"])).collect();
    for name in names.iter().chain(&volumes) {
        if !pattern!("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$").is_match(name) {
            return Err(format!("a container or volume may not be called `{name}`"));
        }
    }
    unique("containers", names.iter().copied())?;
    unique("volumes", volumes.iter().copied())?;
    for container in containers() {
        for mount in items(&container["volumeMounts"]) {
            known("volume", text(&mount["name"]), volumes.iter().copied())?;
        }
        let ports: Vec<&str> = items(&container["ports"])
            .map(|one| text(&one["name"]))
            .collect();
        unique("ports", ports.iter().copied())?;
        for port in &ports {
            let letter = port.contains(|c: char| c.is_ascii_lowercase());
            if !letter || !pattern!("^[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$").is_match(port) {
                return Err(format!("a port may not be called `{port}`"));
            }
        }
        for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
            for check in ["httpGet", "tcpSocket"] {
                if let Some(port) = container[probe][check]["port"].as_str() {
                    known("port", port, ports.iter().copied())?;
                }
            }
        }
    }
    Ok(())
}

fn legal(kind: &str, name: &str) -> Checked {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    // RBAC objects are path segments.
    if kind.contains("Role") {
        return if name.contains('/') {
            Err(format!("{kind} {name}"))
        } else {
            Ok(())
        };
    }
    let max = if LABELS.contains(&kind) { 63 } else { 253 };
    let segments_legal = name.split('.').all(|segment| {
        !segment.is_empty()
            && segment.chars().all(inner)
            && !segment.starts_with('-')
            && !segment.ends_with('-')
    });
    let first = kind != "Service" || name.starts_with(|c: char| c.is_ascii_lowercase());
    let pods = if kind == "CronJob" { 52 } else { max };
    if segments_legal && first && name.len() <= pods && (max > 63 || !name.contains('.')) {
        Ok(())
    } else {
        Err(format!(
            "{kind} may not be called `{name}` ({} bytes)",
            name.len()
        ))
    }
}

fn is_label_value(value: &str) -> bool {
    let ends = |c: char| c.is_ascii_alphanumeric();
    value.is_empty()
        || value.starts_with(ends)
            && value.ends_with(ends)
            && value.chars().all(|c| ends(c) || "-_.".contains(c))
}

/// `(kind, name)` of what an object refers to in its own namespace.
fn references<'a>(value: &'a Value, found: &mut Vec<(&'static str, &'a str)>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let name = || text(&value["name"]);
                let optional = value["optional"] == true;
                match key.as_str() {
                    "configMapRef" | "configMapKeyRef" | "configMap"
                        if !optional && !name().is_empty() =>
                    {
                        found.push(("ConfigMap", name()));
                    }
                    "secretRef" | "secretKeyRef" if !optional && !name().is_empty() => {
                        found.push(("Secret", name()));
                    }
                    "persistentVolumeClaim" if !text(&value["claimName"]).is_empty() => {
                        found.push(("PersistentVolumeClaim", text(&value["claimName"])));
                    }
                    "serviceAccountName" => found.push(("ServiceAccount", text(value))),
                    "backend" if !text(&value["service"]["name"]).is_empty() => {
                        found.push(("Service", text(&value["service"]["name"])));
                    }
                    "scaleTargetRef" => {
                        let kind = match text(&value["kind"]) {
                            "StatefulSet" => "StatefulSet",
                            _ => "Deployment",
                        };
                        found.push((kind, name()));
                    }
                    _ => {}
                }
                references(value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn sees_what_is_broken() {
    let whole = "kind: Service\nmetadata: { name: web }\nspec: { selector: { app: web } }\n---\nkind: Deployment\nmetadata: { name: web }\n\
                 spec:\n  template:\n    metadata: { labels: { app: web } }\n    spec:\n      serviceAccountName: default\n\
                 \x20     volumes: [{ name: data, configMap: { name: settings } }]\n      containers:\n        - name: web\n\
                 \x20         ports: [{ name: http }]\n          volumeMounts: [{ name: data }]\n---\nkind: ConfigMap\nmetadata: { name: settings }\n";
    super::reading::proves(
        check,
        "a.yaml",
        whole,
        &[
            (
                "metadata: { name: web }",
                "metadata: { name: 1web }",
                "may not be called",
            ),
            (
                "selector: { app: web }",
                "selector: { app: api }",
                "no pod has",
            ),
            (
                "volumeMounts: [{ name: data",
                "volumeMounts: [{ name: date",
                "volume `date`",
            ),
            (
                "configMap: { name: settings",
                "configMap: { name: setting",
                "ConfigMap setting",
            ),
            (
                "name: http",
                "name: a-port-too-long-for-it",
                "a port may not",
            ),
            (
                "serviceAccountName: default",
                "serviceAccountName: web",
                "ServiceAccount web",
            ),
        ],
    );
}
