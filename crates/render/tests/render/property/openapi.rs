//! OpenAPI: references and parameters resolve, and an operation has an id of its own.

use wharf_base::files::FileSet;

use super::reading::{
    Checked, document, entries, items, known, pattern, text, texts, unique, walk,
};

pub(super) fn check(files: &FileSet) -> Checked {
    for (path, file) in files
        .into_iter()
        .filter(|(path, _)| path.ends_with(".yaml"))
    {
        let told = |problem| format!("{path}: {problem}");
        let api = document(path, &file.text)?;
        let mut problem = Ok(());
        let mut ids = vec![];
        walk(&api, &mut |key, value| {
            if key == "$ref" {
                let pointer = text(value).trim_start_matches('#');
                if api.pointer(pointer).is_none() {
                    problem = Err(format!("{} is not there", text(value)));
                }
            }
            if key == "operationId" {
                ids.push(text(value));
            }
        });
        problem.map_err(told)?;
        unique("operations", ids).map_err(told)?;
        for (route, methods) in entries(&api["paths"]) {
            let wanted = pattern!(r"\{([^}]+)\}").captures_iter(route);
            let wanted: Vec<&str> = wanted
                .filter_map(|found| found.get(1))
                .map(|found| found.as_str())
                .collect();
            for (_, operation) in
                entries(methods).filter(|(_, operation)| operation["responses"].is_object())
            {
                let parameters =
                    || items(&operation["parameters"]).chain(items(&methods["parameters"]));
                for name in &wanted {
                    known(
                        "parameter",
                        name,
                        parameters().map(|one| text(&one["name"])),
                    )
                    .map_err(told)?;
                }
                for tag in texts(&operation["tags"]) {
                    known(
                        "tag",
                        tag,
                        items(&api["tags"]).map(|one| text(&one["name"])),
                    )
                    .map_err(told)?;
                }
            }
        }
    }
    Ok(())
}

#[test]
fn sees_what_is_broken() {
    let whole = "tags: [{ name: web }]\npaths:\n  /a/{id}:\n    get: { operationId: a, tags: [web], parameters: [{ name: id }], responses: { \"200\": { $ref: \"#/components/ok\" } } }\n\
                 \x20 /b:\n    get: { operationId: b, responses: {} }\ncomponents: { ok: {} }\n";
    super::reading::proves(
        check,
        "openapi.yaml",
        whole,
        &[
            ("operationId: b", "operationId: a", "two operations"),
            ("components/ok", "components/no", "is not there"),
            ("[web]", "[api]", "tag `api`"),
            ("name: id", "name: ids", "parameter `id`"),
        ],
    );
}
