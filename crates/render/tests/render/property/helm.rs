//! The chart: every value that a template reads is there and in the schema, every template that is included is defined.

use serde_json::Value;
use wharf_base::files::FileSet;

use super::reading::{Checked, document, entries, pattern, text};

pub(super) fn check(files: &FileSet) -> Checked {
    let Some((root, _)) = files
        .into_iter()
        .find_map(|(path, _)| path.split_once("Chart.yaml"))
    else {
        return Ok(());
    };
    let read = |name: &str| {
        let path = format!("{root}{name}");
        document(
            &path,
            &files
                .get(&path)
                .ok_or_else(|| format!("there is no {path}"))?
                .text,
        )
    };
    let chart = read("Chart.yaml")?;
    let name = text(&chart["name"]);
    if !pattern!("^[a-z0-9][a-z0-9-]*$").is_match(name) || format!("{name}/") != root {
        return Err(format!("a chart in {root} may not be called `{name}`"));
    }
    let values = read("values.yaml")?;
    let schema = read("values.schema.json")?;
    let templates = || {
        files
            .into_iter()
            .filter(|(path, _)| path.contains("/templates/"))
    };
    for (path, file) in templates() {
        // A comment of the template language shows how something is called.
        let template = pattern!(r"(?s)\{\{-?\s*/\*.*?\*/\s*-?\}\}").replace_all(&file.text, "");
        // What is in no action is a text.
        let actions = pattern!(r"\{\{.*?\}\}")
            .find_iter(&template)
            .map(|action| action.as_str());
        for line in actions {
            // What is asked for first may be absent, but not what it stands in.
            let asked = pattern!(r"\{\{-? (?:with|if|else if) |default").is_match(line);
            for found in pattern!(r"\.Values\.([A-Za-z0-9_.]*[A-Za-z0-9_])").captures_iter(line) {
                let wanted = match found[1].rsplit_once('.') {
                    Some((parent, _)) if asked => parent,
                    None if asked => continue,
                    _ => &found[1],
                };
                if !reaches(&values, wanted) {
                    return Err(format!("{path}: values.yaml has no .{wanted}"));
                }
            }
        }
        for found in pattern!(r#"(?:include|template) "([^"]+)""#).captures_iter(&template) {
            let defined = format!("define \"{}\"", &found[1]);
            if !templates().any(|(_, file)| file.text.contains(&defined)) {
                return Err(format!("{path}: nothing defines {}", &found[1]));
            }
        }
        for found in pattern!(r#"\.Template\.BasePath "([^"]+)""#).captures_iter(&template) {
            if files
                .get(&format!("{root}templates{}", &found[1]))
                .is_none()
            {
                return Err(format!("{path}: there is no template {}", &found[1]));
            }
        }
    }
    for (path, file) in files {
        let name = path.rsplit('/').next().unwrap_or_default();
        if name.ends_with(".yaml") && name.contains("values") {
            let given = document(path, &file.text)?;
            fits(&given, &schema, "").map_err(|problem| format!("{path}: {problem}"))?;
        }
    }
    Ok(())
}

/// Whether the values have the path. What follows a list or a text is a matter of the template language.
fn reaches(values: &Value, path: &str) -> bool {
    let mut place = values;
    for key in path.split('.') {
        match place {
            Value::Object(map) => match map.get(key) {
                Some(value) => place = value,
                None => return false,
            },
            _ => return true,
        }
    }
    true
}

/// Whether the schema knows each key, where it names any.
fn fits(value: &Value, schema: &Value, place: &str) -> Checked {
    for (key, value) in entries(value) {
        let place = format!("{place}.{key}");
        let known = &schema["properties"][key];
        if !known.is_null() {
            fits(value, known, &place)?;
        } else if schema["properties"].is_object() && schema["additionalProperties"] == false {
            return Err(format!("values.schema.json has no {place}"));
        }
    }
    Ok(())
}

#[test]
fn sees_what_is_broken() {
    let check = |values: &str, template: &str| {
        check(&super::reading::set(&[
            ("shop/Chart.yaml", "name: shop"),
            ("shop/values.yaml", values),
            (
                "shop/values.schema.json",
                r#"{"additionalProperties": false, "properties": {"image": {"properties": {}}}}"#,
            ),
            ("shop/templates/a.yaml", template),
            (
                "shop/templates/_helpers.tpl",
                r#"{{ define "shop.labels" }}{{ end }}"#,
            ),
        ]))
    };
    let template = "a: {{ $.Values.image.tag }}\nb: {{ include \"shop.labels\" . }}";
    assert_eq!(check("image: { tag: x }", template), Ok(()));
    assert!(check("image: { tags: x }", template).is_err());
    assert!(
        check("image: { tag: x }\nother: y", template)
            .unwrap_err()
            .contains("no .other")
    );
    let told = check("image: { tag: x }", &template.replace("labels", "label")).unwrap_err();
    assert!(told.contains("nothing defines"), "{told}");
}
