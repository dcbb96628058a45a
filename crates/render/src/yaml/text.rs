//! Values as text: two spaces a level, lists indented below their key, quotes only where they are needed.

use super::{Map, Yaml};

/// The documents as a file, below `header` as comment lines; several are separated by `---`.
#[must_use]
pub fn to_text(header: &str, documents: &[Yaml]) -> String {
    let mut out = String::new();
    comment(&mut out, header, 0);
    for (index, document) in documents.iter().enumerate() {
        if index > 0 || documents.len() > 1 {
            out.push_str("---\n");
        }
        match document {
            Yaml::Map(map) if !map.is_empty() => write_map(&mut out, map, 0, false),
            Yaml::List(items) if !items.is_empty() => write_list(&mut out, items, 0),
            other => {
                out.push_str(scalar(other, 0).trim_start());
                out.push('\n');
            }
        }
    }
    out
}

fn comment(out: &mut String, text: &str, indent: usize) {
    if text.is_empty() {
        return;
    }
    let text = match text.strip_prefix('\n') {
        Some(rest) => {
            out.push('\n');
            rest
        }
        None => text,
    };
    for line in text.lines() {
        let line = format!("{:indent$}# {line}", "");
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

/// `first_in_place`: the first key stands where the line already is (behind `- `).
fn write_map(out: &mut String, map: &Map, indent: usize, first_in_place: bool) {
    for (index, entry) in map.entries().iter().enumerate() {
        let in_place = first_in_place && index == 0;
        if !in_place {
            comment(out, &entry.comment, indent);
            out.push_str(&" ".repeat(indent));
        }
        out.push_str(&quoted(&entry.key, true));
        out.push(':');
        write_value(out, &entry.value, indent, true);
    }
}

fn write_list(out: &mut String, items: &[Yaml], indent: usize) {
    for item in items {
        if let Yaml::Map(map) = item
            && let Some(first) = map.entries().first()
        {
            comment(out, &first.comment, indent);
        }
        out.push_str(&" ".repeat(indent));
        out.push('-');
        match item {
            Yaml::Map(map) if !map.is_empty() => {
                out.push(' ');
                write_map(out, map, indent + 2, true);
            }
            other => write_value(out, other, indent, false),
        }
    }
}

/// A value behind `key:` or `-`, up to and with its line feed.
fn write_value(out: &mut String, value: &Yaml, indent: usize, behind_key: bool) {
    match value {
        Yaml::Map(map) if !map.is_empty() => {
            out.push('\n');
            write_map(out, map, indent + 2, false);
        }
        Yaml::List(items) if !items.is_empty() => {
            out.push('\n');
            write_list(out, items, indent + 2);
        }
        Yaml::Null if behind_key => out.push('\n'),
        other => {
            out.push_str(&scalar(other, indent));
            out.push('\n');
        }
    }
}

/// A scalar or inline value with the space before it.
fn scalar(value: &Yaml, indent: usize) -> String {
    match value {
        Yaml::Null => " null".to_owned(),
        Yaml::Bool(bool) => format!(" {bool}"),
        Yaml::Int(int) => format!(" {int}"),
        Yaml::Float(float) => format!(" {float:?}"),
        Yaml::Raw(text) if text.contains('\n') => format!(" {}", text.trim_end()),
        Yaml::Raw(text) => format!(" {text}"),
        Yaml::Text(text) if is_block(text) => block(text, indent + 2),
        Yaml::Text(text) => format!(" {}", quoted(text, false)),
        Yaml::List(_) => " []".to_owned(),
        Yaml::Map(_) => " {}".to_owned(),
        Yaml::Inline(items) => {
            let items: Vec<String> = items
                .iter()
                .map(|item| match item {
                    // Inside of brackets a comma or bracket ends a plain text.
                    Yaml::Text(text) if text.contains([',', '[', ']', '{', '}', '\n']) => {
                        double_quoted(text)
                    }
                    other => scalar(other, indent).trim_start().to_owned(),
                })
                .collect();
            format!(" [{}]", items.join(", "))
        }
    }
}

/// Whether a text is written as a literal block: several lines, none of which would be changed by it.
fn is_block(text: &str) -> bool {
    let printable = |c: char| c == '\n' || !c.is_control() && c != '\u{feff}';
    let first = text.lines().next().unwrap_or_default();
    text.trim_end_matches('\n').contains('\n')
        && text.chars().all(printable)
        && !first.is_empty()
        && !first.starts_with([' ', '\t'])
        && text.lines().all(|line| line.trim_end() == line)
}

fn block(text: &str, indent: usize) -> String {
    let body = text.trim_end_matches('\n');
    let chomp = match text.len() - body.len() {
        0 => "-",
        1 => "",
        _ => "+",
    };
    let mut out = format!(" |{chomp}");
    let lines = if chomp == "+" {
        text.strip_suffix('\n').unwrap_or(text)
    } else {
        body
    };
    for line in lines.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            out.push_str(&" ".repeat(indent));
            out.push_str(line);
        }
    }
    out
}

fn quoted(text: &str, is_key: bool) -> String {
    if needs_quotes(text) || is_key && text.contains(['{', '}', '[', ']', ',']) {
        double_quoted(text)
    } else {
        text.to_owned()
    }
}

fn double_quoted(text: &str) -> String {
    // A JSON string is a double-quoted YAML one.
    serde_json::to_string(text).unwrap_or_default()
}

fn needs_quotes(text: &str) -> bool {
    const INDICATORS: &str = "-?:,[]{}#&*!|>'\"%@`=";
    let Some(first) = text.chars().next() else {
        return true;
    };
    let second = text.chars().nth(1);
    let indicator = INDICATORS.contains(first)
        && !(matches!(first, '-' | '?' | ':') && second.is_some_and(|c| !c.is_whitespace()));
    indicator
        || text.starts_with("---")
        || text.starts_with("...")
        || text.starts_with(char::is_whitespace)
        || text.ends_with(char::is_whitespace)
        || text.ends_with(':')
        || text.contains(": ")
        || text.contains(" #")
        || text.chars().any(|c| {
            c.is_control() || c == '\u{feff}' || c == '\u{2028}' || c == '\u{2029}' || c == '\u{85}'
        })
        || means_something_else(text)
}

/// Whether a reader of YAML 1.1 or 1.2 takes the plain text for null, a boolean, a number, a time or a date.
fn means_something_else(text: &str) -> bool {
    const WORDS: [&str; 13] = [
        "null", "true", "false", "yes", "no", "on", "off", "y", "n", ".inf", ".nan", "-.inf",
        "+.inf",
    ];
    if text == "~" || text == "<<" || WORDS.contains(&text.to_ascii_lowercase().as_str()) {
        return true;
    }
    // Numbers of every base, with the `_` and `:` of YAML 1.1; dates and times begin with a digit as well.
    let body = text.trim_start_matches(['-', '+']);
    let numeric =
        |c: char| c.is_ascii_digit() || matches!(c, '.' | '_' | ':' | 'e' | 'E' | '+' | '-');
    let based = body
        .strip_prefix("0x")
        .or_else(|| body.strip_prefix("0o"))
        .or_else(|| body.strip_prefix("0b"));
    let is_date = body.len() >= 8
        && body.as_bytes()[..4].iter().all(u8::is_ascii_digit)
        && body.as_bytes()[4] == b'-'
        && body
            .chars()
            .all(|c| c.is_ascii_digit() || "-:.TtZz +".contains(c));
    is_date
        || based.is_some_and(|digits| digits.chars().all(|c| c.is_ascii_hexdigit() || c == '_'))
        || body.starts_with(|c: char| c.is_ascii_digit() || c == '.')
            && body.contains(|c: char| c.is_ascii_digit())
            && body.chars().all(numeric)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{list, map};

    #[test]
    fn a_document_reads_as_written_by_hand() {
        let mut inner =
            map! { "name" => "web", "ports" => Yaml::Inline(vec![80.into(), "8080:80".into()]) };
        inner.set_with_comment("\nWhy it is so.", "script", "echo a\n\necho b\n");
        let document = map! {
            "version" => "1.10",
            "on" => true,
            "items" => list![inner, "plain text", list!["a", 1]],
            "empty" => Map::new(),
            "nothing" => Yaml::Null,
            "tag" => Yaml::Raw("!Ref Name".to_owned()),
        };
        let expected = "\
# Head.
version: \"1.10\"
\"on\": true
items:
  - name: web
    ports: [80, \"8080:80\"]

    # Why it is so.
    script: |
      echo a

      echo b
  - plain text
  -
    - a
    - 1
empty: {}
nothing:
tag: !Ref Name
";
        assert_eq!(to_text("Head.", &[document.into()]), expected);
    }

    #[test]
    fn texts_that_mean_something_else_are_quoted() {
        for text in [
            "",
            "yes",
            "No",
            "on",
            "1",
            "-1.5",
            "0x1f",
            "1_000",
            "12:30",
            "1e3",
            "2026-11-20",
            "null",
            "~",
            "- a",
            "a: b",
            "a #b",
            "*a",
            "&a",
            " a",
            "a ",
            "a:",
            "@a",
            "{a}",
            "%a",
            "a\tb",
            "=",
        ] {
            assert!(needs_quotes(text), "{text:?}");
        }
        for text in [
            "a",
            "a:b",
            "-a",
            "v1.2.3",
            "10m",
            "250m",
            "a-b_c",
            "/path",
            "1Gi",
            "./x",
            "a,b",
            "15s",
            "it's",
            "10.0.0.0/16",
        ] {
            assert!(!needs_quotes(text), "{text:?}");
        }
    }
}
