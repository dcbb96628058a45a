//! Documents, load tests and diagrams: the files that they name are rendered, and the names in them are made there.

use std::collections::BTreeSet;

use wharf_base::files::FileSet;

use super::reading::{Checked, exists, known, pattern, resolve, unique};

/// Links of Markdown, imports of scripts, classes of Python, nodes of diagrams.
pub(super) fn check(files: &FileSet) -> Checked {
    for (path, file) in files {
        let ending = path.rsplit('.').next().unwrap_or_default();
        let checked = match ending {
            "md" => links(files, path, &file.text),
            "js" => links_of_script(files, path, &file.text),
            "py" => classes(&file.text),
            "mmd" => diagram(&file.text),
            "svg" => picture(&file.text),
            _ => Ok(()),
        };
        checked
            .and_then(|()| commands(&file.text))
            .map_err(|problem| format!("{path}: {problem}"))?;
    }
    Ok(())
}

/// Names that commands are given: a release of Helm has at most 53 characters, a stack of CloudFormation begins with a letter.
fn commands(text: &str) -> Checked {
    let releases = pattern!(r"helm (?:upgrade|rollback|test|history) (?:--\S+ )*([a-z0-9][\w-]*)")
        .captures_iter(text);
    let stacks = pattern!(r"--stack-name ([\w-]+)").captures_iter(text);
    for (what, found, legal) in releases
        .map(|found| ("release", found, pattern!("^[a-z0-9-]{1,53}$")))
        .chain(stacks.map(|found| ("stack", found, pattern!("^[A-Za-z][A-Za-z0-9-]{0,127}$"))))
    {
        if !legal.is_match(&found[1]) {
            return Err(format!("a {what} may not be called `{}`", &found[1]));
        }
    }
    Ok(())
}

fn links(files: &FileSet, path: &str, text: &str) -> Checked {
    for found in pattern!(r"\]\(([^)\s]+)\)").captures_iter(text) {
        let link = found[1].split('#').next().unwrap_or_default();
        let elsewhere = link.is_empty() || link.contains("://") || link.starts_with("mailto:");
        if !elsewhere && !exists(files, &resolve(path, link)) {
            return Err(format!("there is no {link}"));
        }
    }
    let blocks = pattern!(r"(?s)```mermaid\n(.*?)```").captures_iter(text);
    blocks.into_iter().try_for_each(|found| diagram(&found[1]))
}

fn links_of_script(files: &FileSet, path: &str, text: &str) -> Checked {
    for found in pattern!(r"(?m)^import .* from '(\.[^']+)'").captures_iter(text) {
        if files.get(&resolve(path, &found[1])).is_none() {
            return Err(format!("there is no {}", &found[1]));
        }
    }
    let names = pattern!(r"(?m)^(?:export )?(?:const|let|function) (\w+)").captures_iter(text);
    let names: Vec<String> = names.map(|found| found[1].to_owned()).collect();
    unique("names", names.iter().map(String::as_str))
}

fn classes(text: &str) -> Checked {
    let mut methods = BTreeSet::new();
    for found in pattern!(r"(?m)^( *)(?:class|def) ([^(:\s]+)").captures_iter(text) {
        let name = &found[2];
        if found[1].is_empty() {
            methods.retain(|(depth, _)| *depth == 0);
        }
        if !pattern!("^[A-Za-z_][A-Za-z0-9_]*$").is_match(name) {
            return Err(format!("`{name}` is no name of Python"));
        }
        if !methods.insert((found[1].len(), name.to_owned())) {
            return Err(format!("two are called `{name}`"));
        }
    }
    Ok(())
}

/// Every end of an arrow is a node that has a text.
fn diagram(text: &str) -> Checked {
    let nodes: Vec<&str> = pattern!(r#"(?m)^\s*(?:subgraph )?(\w+)[\[({]+""#)
        .captures_iter(text)
        .filter_map(|found| found.get(1))
        .map(|found| found.as_str())
        .collect();
    unique("nodes", nodes.iter().copied())?;
    for found in
        pattern!(r"(?m)^\s*(\w+) (?:-->|-\.->|==>)(?:\|[^|\n]*\|)? (\w+)$").captures_iter(text)
    {
        known("node", &found[1], nodes.iter().copied())?;
        known("node", &found[2], nodes.iter().copied())?;
    }
    Ok(())
}

fn picture(text: &str) -> Checked {
    let ids: Vec<&str> = pattern!(r#"\sid="([^"]+)""#)
        .captures_iter(text)
        .filter_map(|found| found.get(1))
        .map(|found| found.as_str())
        .collect();
    unique("ids", ids.iter().copied())?;
    for found in pattern!(r##"url\(#([^)]+)\)|href="#([^"]+)"|aria-labelledby="([^"]+)""##)
        .captures_iter(text)
    {
        let named = found.iter().skip(1).flatten().map(|found| found.as_str());
        for id in named.flat_map(str::split_whitespace) {
            known("id", id, ids.iter().copied())?;
        }
    }
    Ok(())
}

/// What the documents, pipelines and scripts say of `deploy/…` is there, with every target of the project in its place.
pub(super) fn places(all: &FileSet) -> Checked {
    for (path, file) in all {
        // Where their manifests lie is said in the file.
        if path.starts_with("deploy/argocd/") || path.starts_with("deploy/flux/") {
            continue;
        }
        for found in pattern!(r"\bdeploy/([A-Za-z0-9_./-]*[A-Za-z0-9_-])").find_iter(&file.text) {
            let place = found.as_str();
            // Words in capitals are the reader's to fill in; a pattern goes on, and so does a variable.
            let open = file.text[found.end()..].starts_with(['*', '$', '{', '<']);
            let placeholder = place
                .split('/')
                .any(|part| pattern!(r"^[A-Z]+(\.\w+)?$").is_match(part) || part.contains("-ENV"));
            let address = file.text[..found.start()].ends_with(['/', '.'])
                && !file.text[..found.start()].ends_with("../");
            if !open && !placeholder && !address && !exists(all, place) {
                return Err(format!("{path}: there is no {place}"));
            }
        }
    }
    Ok(())
}

#[test]
fn sees_what_is_broken() {
    use super::reading::proves;
    proves(
        check,
        "a/README.md",
        "[x](README.md) and [y](https://a.b/c)\n```mermaid\n  a[\"A\"]\n  b[\"B\"]\n  a --> b\n```\n",
        &[
            ("README.md", "OTHER.md", "no OTHER.md"),
            ("--> b", "--> c", "node `c`"),
        ],
    );
    proves(
        check,
        "a.py",
        "class A:\n    def a(self):\n        pass\n\n\nclass B:\n    def a(self):\n        pass\n",
        &[
            ("class B", "class A", "two are called `A`"),
            ("class B", "class 9B", "no name of Python"),
        ],
    );
    proves(
        check,
        "a.svg",
        "<svg><marker id=\"x\"/><path marker-end=\"url(#x)\"/></svg>",
        &[("url(#x)", "url(#y)", "id `y`")],
    );
    let release = "x".repeat(54);
    proves(
        check,
        "a.sh",
        "helm upgrade shop . --install\naws --stack-name shop\n",
        &[
            (
                "upgrade shop",
                &format!("upgrade {release}"),
                "a release may not",
            ),
            ("name shop", "name 1shop", "a stack may not"),
        ],
    );
    proves(
        check,
        "a.js",
        "const a = 1;\nconst b = 2;\n",
        &[("const b", "const a", "two names")],
    );
    proves(
        places,
        "deploy/prod/runbook/runbook.md",
        "see deploy/prod/runbook and deploy/ENV/x",
        &[("prod/runbook", "prod/terraform", "no deploy/prod/terraform")],
    );
}
