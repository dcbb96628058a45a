//! Compose: what a service depends on and mounts is there, and names are legal.

use std::collections::BTreeSet;

use serde_json::Value;
use wharf_base::files::FileSet;

use super::reading::{Checked, document, entries, items, keys, known, pattern, resolve, text};

pub(super) fn check(files: &FileSet) -> Checked {
    for (path, file) in files {
        let name = path.rsplit('/').next().unwrap_or_default();
        if name.contains("compose") && name.ends_with(".yml") {
            let project = document(path, &file.text)?;
            check_project(&project, path, files).map_err(|problem| format!("{path}: {problem}"))?;
        }
    }
    Ok(())
}

fn check_project(project: &Value, path: &str, files: &FileSet) -> Checked {
    let name = text(&project["name"]);
    if !pattern!("^[a-z0-9][a-z0-9_-]*$").is_match(name) {
        return Err(format!("the project may not be called `{name}`"));
    }
    for section in ["services", "networks", "volumes", "configs", "secrets"] {
        // The name of a service is a name of the network.
        let max = if section == "services" { 63 } else { 255 };
        for name in keys(&project[section]) {
            if !pattern!("^[a-zA-Z0-9][a-zA-Z0-9._-]*$").is_match(name) || name.len() > max {
                return Err(format!("{section} may not have a `{name}`"));
            }
        }
    }
    for section in ["configs", "secrets"] {
        for (name, value) in entries(&project[section]) {
            let Some(file) = value["file"].as_str() else {
                continue;
            };
            let script = files
                .get("make-secrets.sh")
                .is_some_and(|made| made.text.contains(name));
            let there = if section == "secrets" {
                script
            } else {
                files.get(&resolve(path, file)).is_some()
            };
            if !there {
                return Err(format!("{section}.{name}: nothing makes {file}"));
            }
        }
    }
    for (service, value) in entries(&project["services"]) {
        let told = |problem| format!("{service}: {problem}");
        for dependency in names(&value["depends_on"]) {
            known("depends_on", dependency, keys(&project["services"])).map_err(told)?;
            if dependency == service {
                return Err(format!("{service} depends on itself"));
            }
        }
        for network in names(&value["networks"]) {
            known("network", network, keys(&project["networks"])).map_err(told)?;
        }
        for section in ["configs", "secrets"] {
            for one in items(&value[section]) {
                let name = one.as_str().unwrap_or_else(|| text(&one["source"]));
                known(section, name, keys(&project[section])).map_err(told)?;
            }
        }
        let mut targets = BTreeSet::new();
        for volume in items(&value["volumes"]) {
            let (source, target) = match volume.as_str() {
                Some(short) => short.split_once(':').unwrap_or(("", short)),
                None => (text(&volume["source"]), text(&volume["target"])),
            };
            if !source.is_empty() && !source.starts_with(['.', '/', '~', '$']) {
                known("volume", source, keys(&project["volumes"])).map_err(told)?;
            }
            if !targets.insert(target) {
                return Err(format!("{service}: two volumes are mounted at {target}"));
            }
        }
    }
    Ok(())
}

/// The names of a list, or the keys of a map.
fn names(value: &Value) -> Vec<&str> {
    keys(value).chain(items(value).map(text)).collect()
}

#[test]
fn sees_what_is_broken() {
    let whole = "name: shop\nservices:\n  web:\n    depends_on: [db]\n    networks: [front]\n    secrets: [jwt]\n\
                 \x20   volumes: [media:/media]\n  db: {}\nnetworks:\n  front:\nvolumes:\n  media:\nsecrets:\n  jwt: {}\n";
    super::reading::proves(
        check,
        "compose.yml",
        whole,
        &[
            ("name: shop", "name: Shop", "`Shop`"),
            ("[db]", "[dbs]", "depends_on `dbs`"),
            ("[front]", "[back]", "network `back`"),
            ("[jwt]", "[jws]", "secrets `jws`"),
            ("media:/media", "medias:/media", "volume `medias`"),
            ("  db: {}", "  \"d b\": {}", "services may not have"),
            ("jwt: {}", "jwt: { file: ./x }", "nothing makes ./x"),
        ],
    );
}
