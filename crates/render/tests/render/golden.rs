//! The golden trees: what the examples rendered to when somebody last looked. `UPDATE_GOLDEN=1` writes them anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::examples::{EXAMPLES, Plans};

fn folder(example: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(example)
}

#[test]
fn the_examples_render_as_they_did() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut differences = vec![];
    for example in EXAMPLES {
        let folder = folder(example);
        let mut rendered = BTreeMap::new();
        for (environment, target, files) in Plans::of_example(example).render_all() {
            for (path, file) in &files.files {
                let path = format!("{environment}/{}/{path}", target.name);
                rendered.insert(path, file.text.clone());
            }
        }
        if update {
            if folder.exists() {
                std::fs::remove_dir_all(&folder).unwrap();
            }
            for (path, text) in &rendered {
                let path = folder.join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
            continue;
        }
        let mut golden = BTreeMap::new();
        read(&folder, &folder, &mut golden);
        for path in golden.keys().chain(rendered.keys()) {
            if golden.get(path) != rendered.get(path) {
                differences.push(format!("{example}/{path}"));
            }
        }
    }
    differences.dedup();
    assert!(
        differences.is_empty(),
        "{} files differ from tests/golden; look at the difference after `UPDATE_GOLDEN=1 cargo test -p wharf-render`:\n{}",
        differences.len(),
        differences.join("\n")
    );
}

fn read(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            files.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn the_same_plan_gives_the_same_bytes_whatever_the_order_of_the_file() {
    // Services, stores and variables in another order mean the same.
    let one = "\
name: shop
services:
  web: { command: ./web, port: 8000, environment: { A: \"1\", B: \"${db.url}\" } }
  api: { command: ./api, port: 8001, needs: [db] }
stores: { db: { engine: postgres }, cache: { engine: redis } }
routes: [{ paths: { /: web, /api: api } }]
environments: { a: { target: kubernetes }, b: { target: kubernetes } }
";
    let other = "\
environments: { b: { target: kubernetes }, a: { target: kubernetes } }
routes: [{ paths: { /api: api, /: web } }]
stores: { cache: { engine: redis }, db: { engine: postgres } }
services:
  api: { needs: [db], port: 8001, command: ./api }
  web: { environment: { B: \"${db.url}\", A: \"1\" }, port: 8000, command: ./web }
name: shop
";
    let texts = |text: &str| -> Vec<(String, String)> {
        let all = Plans::of(text.as_bytes()).unwrap().render_all();
        all.into_iter()
            .flat_map(|(folder, target, rendered)| {
                let files: Vec<(String, String)> = rendered
                    .files
                    .iter()
                    .map(|(path, file)| {
                        (
                            format!("{folder}/{}/{path}", target.name),
                            file.text.clone(),
                        )
                    })
                    .collect();
                files
            })
            .collect()
    };
    for ((path, one), (_, other)) in texts(one).iter().zip(&texts(other)) {
        assert_eq!(one, other, "{path}");
    }
}
