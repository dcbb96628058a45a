//! Dockerfiles: a stage that is copied from or built on is there, and comes before.

use wharf_base::files::FileSet;

use super::reading::{Checked, known, pattern};

pub(super) fn check(files: &FileSet) -> Checked {
    for (path, file) in files
        .into_iter()
        .filter(|(path, _)| path.ends_with("Dockerfile"))
    {
        stages(&file.text).map_err(|problem| format!("{path}: {problem}"))?;
    }
    Ok(())
}

fn stages(text: &str) -> Checked {
    let mut stages: Vec<&str> = vec![];
    let mut begun = 0_usize;
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let ["FROM", rest @ ..] = words.as_slice() {
            let rest: Vec<&str> = rest
                .iter()
                .copied()
                .filter(|word| !word.starts_with("--"))
                .collect();
            // An image has a tag; what has none is a stage, or nothing at all.
            if !rest[0].contains([':', '/', '@', '$']) && rest[0] != "scratch" {
                known("stage", rest[0], stages.iter().copied())?;
            }
            if let [_, "AS", name] = rest.as_slice() {
                if stages.contains(name) || !pattern!("^[a-z][a-z0-9-_.]*$").is_match(name) {
                    return Err(format!("a second stage, or none, may be called `{name}`"));
                }
                stages.push(name);
            }
            begun += 1;
        }
        for found in
            pattern!(r"^\s*(?:COPY|RUN|ADD)?\s.*?(?:--from=|,from=)([^\s,]+)").captures_iter(line)
        {
            let from = &found[1];
            let number = from.parse().is_ok_and(|number: usize| number + 1 < begun);
            if !number && !from.contains([':', '/', '$']) {
                known("stage", from, stages.iter().copied())?;
            }
        }
    }
    if begun == 0 {
        return Err("there is no FROM".to_owned());
    }
    Ok(())
}

#[test]
fn sees_what_is_broken() {
    let whole =
        "FROM rust:1 AS builder\nFROM alpine:3 AS tools\nFROM tools\nCOPY --from=builder /a /a\n";
    super::reading::proves(
        check,
        "web/Dockerfile",
        whole,
        &[
            ("--from=builder", "--from=build", "stage `build`"),
            ("FROM tools", "FROM tool", "stage `tool`"),
            ("AS tools", "AS builder", "a second stage"),
        ],
    );
}
