//! `| json a="b.c[0]"`, and `| unpack`.

use super::json::{ERROR, Scanner, Value, unescape};
use crate::fields::{EXTRACTED, Fields, Wanted, push_sanitized};

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

/// The longest path, in steps.
const MAX_STEPS: usize = 64;

/// Reads `a.b[0]["c d"]`.
pub(crate) fn parse_path(text: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut rest = text.trim_matches([' ', '\t', '\n']);
    let unexpected = |rest: &str| match rest.chars().next() {
        Some(c) => format!("unexpected char {c}"),
        None => "unexpected end".to_owned(),
    };
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let inner = inner.trim_start();
            let (step, after) = if let Some(quoted) = inner.strip_prefix('"') {
                let (key, after) = quoted.split_once('"').ok_or_else(|| unexpected(""))?;
                (Step::Key(key.to_owned()), after)
            } else {
                let digits = inner
                    .find(|c: char| !c.is_ascii_digit())
                    .unwrap_or(inner.len());
                let index = inner[..digits].parse().map_err(|_| unexpected(inner))?;
                (Step::Index(index), &inner[digits..])
            };
            steps.push(step);
            let after = after.trim_start();
            rest = after.strip_prefix(']').ok_or_else(|| unexpected(after))?;
        } else {
            let field = if steps.is_empty() {
                rest
            } else {
                rest.strip_prefix('.')
                    .ok_or_else(|| unexpected(rest))?
                    .trim_start()
            };
            let name = |c: char| c == '_' || c.is_ascii_alphanumeric();
            let end = field.find(|c| !name(c)).unwrap_or(field.len());
            if end == 0 || field.starts_with(|c: char| c.is_ascii_digit()) {
                return Err(unexpected(field));
            }
            steps.push(Step::Key(field[..end].to_owned()));
            rest = &field[end..];
        }
        rest = rest.trim_start();
        if steps.len() > MAX_STEPS {
            return Err(format!("a path has at most {MAX_STEPS} steps"));
        }
    }
    if steps.is_empty() {
        return Err(unexpected(""));
    }
    Ok(steps)
}

/// What stands at a path.
fn find<'a>(line: &'a str, path: &[Step]) -> Result<Option<Value<'a>>, &'static str> {
    let mut scanner = Scanner::new(line);
    'step: for step in path {
        scanner.blank();
        match (step, scanner.peek()) {
            (Step::Key(wanted), Some(b'{')) => {
                let mut members = scanner.members()?;
                while let Some(key) = members.next(&mut scanner)? {
                    let found = if key.contains('\\') {
                        let mut plain = String::new();
                        unescape(key, &mut plain);
                        plain == *wanted
                    } else {
                        key == wanted
                    };
                    if found {
                        continue 'step;
                    }
                    scanner.skip()?;
                }
                return Ok(None);
            }
            (Step::Index(index), Some(b'[')) => {
                let mut first = true;
                let mut at = 0;
                while scanner.element(&mut first)? {
                    if at == *index {
                        continue 'step;
                    }
                    at += 1;
                    scanner.skip()?;
                }
                return Ok(None);
            }
            _ => return Ok(None),
        }
    }
    scanner.value().map(Some)
}

/// A label and the path of its value.
#[derive(Debug, Clone)]
pub(crate) struct Extractor {
    pub(crate) label: String,
    pub(crate) path: Vec<Step>,
}

/// Sets the labels that are asked for; one that is not there is set to nothing.
pub(crate) fn extract(line: &str, extractors: &[Extractor], fields: &mut Fields) {
    if line.is_empty() {
        return;
    }
    if !line.starts_with(['{', '[', '"']) {
        fields.set_parser_error(ERROR, "");
        return;
    }
    let mut value = String::new();
    for Extractor { label, path } in extractors {
        value.clear();
        match find(line, path) {
            Ok(Some(found)) => {
                found.push(&mut value);
                if fields.base_has(label) {
                    fields.set_parsed(&format!("{label}{EXTRACTED}"), &value);
                } else {
                    fields.set_parsed(label, &value);
                }
            }
            Ok(None) => {
                if fields.get(label).is_none() {
                    fields.set_parsed(label, "");
                }
            }
            Err(error) => {
                fields.set_parser_error(ERROR, error);
                if fields.get(label).is_none() {
                    fields.set_parsed(label, "");
                }
            }
        }
    }
}

/// The field that carries the line of a packed entry.
const PACKED: &str = "_entry";

/// Texts of an object become labels if it carries a packed line, which is returned.
pub(crate) fn unpack(line: &str, fields: &mut Fields, wanted: &mut Wanted) -> Option<String> {
    if line.is_empty() {
        return None;
    }
    let mut labels = Vec::new();
    let mut entry = None;
    let result = (|| {
        let mut scanner = Scanner::new(line);
        let mut members = scanner.members()?;
        while let Some(key) = members.next(&mut scanner)? {
            let Value::Text(text) = scanner.value()? else {
                continue;
            };
            let mut value = String::new();
            unescape(text, &mut value);
            if key == PACKED {
                entry = Some(value);
                continue;
            }
            let mut name = String::new();
            push_sanitized(&mut name, key);
            if fields.base_has(&name) {
                name.push_str(EXTRACTED);
            }
            if !name.is_empty() && wanted.wants(&name) {
                labels.push((name, value));
            }
        }
        Ok(())
    })();
    if let Err(error) = result {
        fields.set_parser_error(ERROR, error);
        return None;
    }
    let entry = entry?;
    for (name, value) in labels {
        fields.set_parsed(&name, &value);
        wanted.mark(&name);
    }
    Some(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"a":{"b":[1,{"c":"x\n"}],"d e":2},"n":null}"#;

    #[track_caller]
    fn check(path: &str, expected: Option<&str>) {
        let path = parse_path(path).expect(path);
        let found = find(LINE, &path).expect("JSON").map(|value| {
            let mut text = String::new();
            value.push(&mut text);
            text
        });
        assert_eq!(found.as_deref(), expected, "{path:?}");
    }

    #[test]
    fn paths_lead_to_values() {
        check("a.b[0]", Some("1"));
        check("a.b[1].c", Some("x\n"));
        check(r#"a["d e"]"#, Some("2"));
        check(r#"["a"].b"#, Some(r#"[1,{"c":"x\n"}]"#));
        check("n", Some(""));
        check("a.b[2]", None);
        check("a[0]", None);
        check("a.x", None);
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for path in ["", ".a", "a.", "a[", "a[x]", "a b", "a[1.5]", "9", "a[\"b]"] {
            assert!(parse_path(path).is_err(), "{path}");
        }
    }
}
