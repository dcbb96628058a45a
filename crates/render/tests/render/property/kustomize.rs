//! Kustomize: what is listed is there, patches have something to change, and the base is what a cluster takes.

use wharf_base::files::FileSet;

use super::kubernetes;
use super::reading::{Checked, document, documents, items, resolve, text, texts};

pub(super) fn check(files: &FileSet) -> Checked {
    let mut base = FileSet::new();
    let mut objects = vec![];
    for (path, file) in files {
        if let Some(path) = path.strip_prefix("base/") {
            base.add(path, file.text.clone());
            if path.ends_with(".yaml") {
                objects.extend(documents(path, &file.text)?);
            }
        }
    }
    kubernetes::check(&base)?;
    for (path, file) in files {
        if !path.ends_with("kustomization.yaml") {
            continue;
        }
        let kustomization = document(path, &file.text)?;
        let lists = [
            "resources",
            "components",
            "configurations",
            "crds",
            "generators",
            "transformers",
        ];
        let mut listed: Vec<&str> = lists
            .iter()
            .flat_map(|list| texts(&kustomization[list]))
            .collect();
        super::reading::unique("entries", listed.iter().copied())?;
        for patch in items(&kustomization["patches"]) {
            listed.extend(patch["path"].as_str());
            let target = &patch["target"];
            let hit = objects.iter().any(|object| {
                object["kind"] == target["kind"] && object["metadata"]["name"] == target["name"]
            });
            if target["name"].is_string() && !hit {
                return Err(format!(
                    "{path}: there is no {} {} to patch",
                    text(&target["kind"]),
                    text(&target["name"])
                ));
            }
        }
        for generator in ["configMapGenerator", "secretGenerator"] {
            for one in items(&kustomization[generator]) {
                let files = texts(&one["files"]).into_iter();
                listed
                    .extend(files.map(|file| file.split_once('=').map_or(file, |(_, file)| file)));
            }
        }
        for one in listed {
            let there = resolve(path, one);
            let folder = format!("{there}/kustomization.yaml");
            if files.get(&there).is_none() && files.get(&folder).is_none() {
                return Err(format!("{path}: there is no {one}"));
            }
        }
    }
    Ok(())
}

#[test]
fn sees_what_is_broken() {
    let check = |base: &str, overlay: &str| {
        check(&super::reading::set(&[
            ("base/kustomization.yaml", "resources: [a.yaml]"),
            ("base/a.yaml", base),
            ("overlays/prod/kustomization.yaml", overlay),
            ("overlays/prod/p.yaml", "- op: remove"),
        ]))
    };
    let base = "kind: ConfigMap\nmetadata: { name: a }\n";
    let overlay = "resources: [../../base]\npatches: [{ path: p.yaml, target: { kind: ConfigMap, name: a } }]\n";
    assert_eq!(check(base, overlay), Ok(()));
    assert!(check("kind: Service\nmetadata: { name: 1a }\n", "").is_err());
    for (from, to) in [
        ("../../base", "../base"),
        ("path: p", "path: q"),
        ("name: a", "name: b"),
    ] {
        assert!(
            check(base, &overlay.replacen(from, to, 1)).is_err(),
            "{from}"
        );
    }
}
