//! The JSON Schema: every good file passes it, and a validator that is not ours says so.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use wharf_spec::diagnostic::Findings;

/// `WHARF_TEST_REQUIRE=all` makes the absence of a foreign tool a failure.
fn absent(tool: &str) -> bool {
    let present = Command::new(tool)
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success());
    if !present {
        let required = std::env::var("WHARF_TEST_REQUIRE").is_ok_and(|value| value == "all");
        assert!(!required, "{tool} is not installed");
        println!("skipped: {tool} is not installed (pip install check-jsonschema)");
    }
    !present
}

/// Writes the schema, and each case of `area` as the JSON that YAML's core schema makes of it.
fn written(folder: &Path, area: &str) -> (std::path::PathBuf, Vec<std::path::PathBuf>) {
    let schema = folder.join("schema.json");
    std::fs::write(&schema, wharf_spec::schema().to_string()).unwrap();
    let mut files = vec![];
    for case in crate::fixtures::cases(area) {
        let bytes = std::fs::read(case.join("wharf.yaml")).unwrap();
        let Some(tree) = wharf_spec::yaml::parse(&bytes, &mut Findings::default()) else {
            continue;
        };
        let file = folder
            .join(case.file_name().unwrap())
            .with_extension("json");
        std::fs::write(&file, wharf_spec::decode::to_json(&tree).to_string()).unwrap();
        files.push(file);
    }
    (schema, files)
}

/// The examples of the repository, likewise.
fn examples(folder: &Path) -> Vec<std::path::PathBuf> {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut files = vec![];
    for entry in std::fs::read_dir(all).unwrap() {
        let example = entry.unwrap().path();
        let Ok(bytes) = std::fs::read(example.join("wharf.yaml")) else {
            continue;
        };
        let tree = wharf_spec::yaml::parse(&bytes, &mut Findings::default()).unwrap();
        let name = example.file_name().unwrap().to_str().unwrap();
        let file = folder.join(format!("example-{name}.json"));
        std::fs::write(&file, wharf_spec::decode::to_json(&tree).to_string()).unwrap();
        files.push(file);
    }
    files
}

#[test]
fn good_files_pass_a_foreign_validator() {
    const TOOL: &str = "check-jsonschema";
    if absent(TOOL) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (schema, mut files) = written(folder.path(), "plan");
    files.extend(examples(folder.path()));
    let meta = Command::new(TOOL)
        .arg("--check-metaschema")
        .arg(&schema)
        .output()
        .unwrap();
    assert!(
        meta.status.success(),
        "{}",
        String::from_utf8_lossy(&meta.stdout)
    );
    let output = Command::new(TOOL)
        .arg("--schemafile")
        .arg(&schema)
        .args(&files)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn broken_files_fail_a_foreign_validator() {
    const TOOL: &str = "check-jsonschema";
    if absent(TOOL) {
        return;
    }
    // What a schema can know; the others have the right shapes and the wrong meaning.
    let shapes = [
        "missing-keys",
        "names",
        "no-map",
        "no-values",
        "unknown-keys",
        "wrong-shapes",
        "wrong-units",
        "not-supported-yet",
    ];
    let folder = tempfile::tempdir().unwrap();
    let (schema, files) = written(folder.path(), "check");
    for shape in shapes {
        let file = files
            .iter()
            .find(|file| file.file_stem().is_some_and(|stem| stem == shape))
            .unwrap();
        let output = Command::new(TOOL)
            .arg("--schemafile")
            .arg(&schema)
            .arg(file)
            .output()
            .unwrap();
        assert!(!output.status.success(), "{shape} passes the schema");
    }
}

#[test]
fn references_of_the_schema_lead_somewhere() {
    let schema = wharf_spec::schema();
    let definitions: BTreeSet<&str> = schema["$defs"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let mut ahead = vec![&schema];
    let mut described = 0;
    while let Some(value) = ahead.pop() {
        match value {
            Value::Object(map) => {
                if let Some(Value::String(to)) = map.get("$ref") {
                    let name = to.strip_prefix("#/$defs/").unwrap();
                    assert!(definitions.contains(name), "{to}");
                }
                described += usize::from(map.contains_key("description"));
                assert!(!map.contains_key("x-overlay"));
                ahead.extend(map.values());
            }
            Value::Array(items) => ahead.extend(items),
            _ => {}
        }
    }
    assert!(described > 200, "{described}");
}

#[test]
fn every_record_is_in_the_reference() {
    let reference = wharf_spec::reference();
    for record in wharf_spec::model::RECORDS {
        assert!(
            !reference.contains(&format!("## {}\n", record.name)),
            "{} has no heading",
            record.name
        );
        for field in record.fields {
            assert!(
                reference.contains(&format!("| `{}` |", field.key)),
                "{}",
                field.key
            );
            for (attribute, texts) in field.attributes {
                let known = ["required", "default", "example", "also"].contains(attribute);
                assert!(
                    known && (*attribute == "required") == texts.is_empty(),
                    "{attribute} of {}",
                    field.key
                );
            }
        }
    }
    let listed: BTreeSet<&str> = wharf_spec::model::RECORDS
        .iter()
        .map(|record| record.name)
        .collect();
    let schema = wharf_spec::schema();
    let definitions = schema["$defs"].as_object().unwrap().keys();
    for name in definitions.filter(|name| !name.starts_with("Overlay")) {
        assert!(listed.contains(name.as_str()), "{name} is not in RECORDS");
    }
}
