//! Links between documents: each relative one points at something that exists.

use std::path::Path;

use crate::rules::Finding;
use crate::tree::File;

/// The links of every Markdown file that lead nowhere.
pub(crate) fn check(root: &Path, files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".md")) {
        let folder = root
            .join(&file.path)
            .parent()
            .map(Path::to_owned)
            .unwrap_or_default();
        for (line, target) in targets(&file.text) {
            let path = target.split('#').next().unwrap_or_default();
            let elsewhere =
                target.contains("://") || target.starts_with("mailto:") || path.is_empty();
            if !elsewhere && !folder.join(path).exists() {
                findings.push(Finding::error(
                    file,
                    line,
                    format!("the link to `{target}` leads nowhere"),
                ));
            }
        }
    }
    findings
}

/// The target of each `[text](target)` outside of code blocks, with its line.
fn targets(text: &str) -> Vec<(usize, &str)> {
    let mut targets = Vec::new();
    let mut code = false;
    for (line, text) in (1..).zip(text.lines()) {
        if text.trim_start().starts_with("```") {
            code = !code;
        }
        let mut rest = text;
        while let Some((_, tail)) = rest.split_once("](").filter(|_| !code) {
            let Some((target, tail)) = tail.split_once(')') else {
                break;
            };
            targets.push((line, target));
            rest = tail;
        }
    }
    targets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_links_outside_of_code() {
        let text = "[a](b.md) and [c](d.md#e)\n```\n[f](g.md)\n```\n[h](https://example.com)\n";
        assert_eq!(
            targets(text),
            [(1, "b.md"), (1, "d.md#e"), (5, "https://example.com")]
        );
    }

    #[test]
    fn dead_links_are_found() {
        let folder = std::env::temp_dir();
        let file = File {
            path: "a.md".to_owned(),
            text: "[a](no-such-file.md)\n[b](#here)\n".to_owned(),
        };
        let found = check(&folder, &[file]);
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].to_string(),
            "a.md:1: error: the link to `no-such-file.md` leads nowhere"
        );
    }
}
