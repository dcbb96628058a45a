//! HCL: values, and the style of `terraform fmt`.
//!
//! The crates that write HCL know no comments or do not align; the rules of `terraform fmt` are few (`hclwrite/format.go`):
//! two blanks for each open bracket, and the `=` of neighbouring lines one below the other where each line is whole in
//! itself. [`format()`] applies them to text, so that the files of a module can be templates that read like the result.

/// A value as it stands in a `.tf` or `.tfvars` file.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A whole number.
    Number(u64),
    /// A text; `${` is escaped.
    Text(String),
    /// `[…]`.
    List(Vec<Value>),
    /// `{ … }`, in this order.
    Map(Vec<(String, Value)>),
}

/// The longest list that stays on one line.
const LINE: usize = 100;

impl Value {
    /// Its source, with inner lines not yet indented.
    pub(super) fn source(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(value) => value.to_string(),
            Self::Text(text) => quote(text),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(Self::source).collect();
                let line = format!("[{}]", items.join(", "));
                if line.len() <= LINE && !line.contains('\n') {
                    line
                } else {
                    format!("[\n{},\n]", items.join(",\n"))
                }
            }
            Self::Map(entries) if entries.is_empty() => "{}".to_owned(),
            Self::Map(entries) => {
                let mut text = "{\n".to_owned();
                for (key, value) in entries {
                    text.push_str(&format!("{} = {}\n", map_key(key), value.source()));
                }
                text + "}"
            }
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Number(value.into())
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Number(value)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// `text` as a quoted string without interpolation.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted.replace("${", "$${").replace("%{", "%%{")
}

/// `key` as it stands in an object: quoted where it is no identifier.
pub(super) fn map_key(key: &str) -> String {
    let plain = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        // These begin an expression or are values.
        && !matches!(key, "for" | "if" | "null" | "true" | "false");
    if plain { key.to_owned() } else { quote(key) }
}

/// `text` in the style of `terraform fmt`; at most one empty line at a time, none behind `{` or before `}`.
pub(super) fn format(text: &str) -> String {
    let mut lines: Vec<Line> = vec![];
    // For each line that opens brackets, how many of them are still open: it indents once, however many there are.
    let mut open: Vec<usize> = vec![];
    let mut heredoc: Option<String> = None;
    for raw in text.lines() {
        if let Some(end) = &heredoc {
            let over = raw.trim() == end;
            lines.push(Line::verbatim(raw));
            if over {
                heredoc = None;
            }
            continue;
        }
        let raw = raw.trim();
        let scanned = scan(raw);
        close(&mut open, scanned.closes.saturating_sub(scanned.opens));
        lines.push(Line {
            indent: open.len(),
            text: raw.to_owned(),
            assign: scanned.assign,
            verbatim: false,
        });
        if scanned.opens > scanned.closes {
            open.push(scanned.opens - scanned.closes);
        }
        heredoc = scanned.heredoc;
    }
    align(&mut lines);
    write(&lines)
}

fn close(open: &mut Vec<usize>, mut brackets: usize) {
    while let (Some(last), true) = (open.last_mut(), brackets > 0) {
        if brackets < *last {
            *last -= brackets;
            return;
        }
        brackets -= *last;
        open.pop();
    }
}

/// One line of a file.
struct Line {
    /// How many brackets are open before it.
    indent: usize,
    /// What is on it.
    text: String,
    /// Where its `=` is, if it is whole in itself.
    assign: Option<usize>,
    /// Whether it is part of a heredoc, and stays as it is.
    verbatim: bool,
}

impl Line {
    fn verbatim(raw: &str) -> Self {
        Self {
            indent: 0,
            text: raw.to_owned(),
            assign: None,
            verbatim: true,
        }
    }
}

/// What a line does to the lines behind it.
#[derive(Default)]
struct Scanned {
    opens: usize,
    closes: usize,
    assign: Option<usize>,
    heredoc: Option<String>,
}

fn scan(line: &str) -> Scanned {
    let mut scanned = Scanned::default();
    let bytes = line.as_bytes();
    let mut at = 0;
    let mut equal: Option<(usize, usize, usize)> = None;
    while at < bytes.len() {
        match bytes[at] {
            b'#' => break,
            b'/' if bytes.get(at + 1) == Some(&b'/') => break,
            b'"' => at = string_end(bytes, at),
            b'<' if bytes.get(at + 1) == Some(&b'<') => {
                let word = line[at + 2..].trim_start_matches('-').trim();
                scanned.heredoc = Some(word.to_owned());
                break;
            }
            b'{' | b'[' | b'(' => scanned.opens += 1,
            b'}' | b']' | b')' => scanned.closes += 1,
            b'=' if equal.is_none() && at > 0 => {
                let two = matches!(bytes.get(at + 1), Some(b'=' | b'>'))
                    || matches!(bytes[at - 1], b'=' | b'!' | b'<' | b'>');
                if !two {
                    equal = Some((at, scanned.opens, scanned.closes));
                }
            }
            _ => {}
        }
        at += 1;
    }
    if let Some((at, opens, closes)) = equal
        && scanned.opens - opens == scanned.closes - closes
    {
        scanned.assign = Some(at);
    }
    scanned
}

/// The last byte of the string that begins at `at`; interpolations may hold strings.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    let mut braces = 0_usize;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'$' | b'%' if bytes.get(at + 1) == Some(&b'{') && bytes[at - 1] != bytes[at] => {
                braces += 1;
                at += 1;
            }
            b'{' if braces > 0 => braces += 1,
            b'}' if braces > 0 => braces -= 1,
            b'"' if braces > 0 => at = string_end(bytes, at),
            b'"' => return at,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

fn align(lines: &mut [Line]) {
    let mut start = 0;
    while start < lines.len() {
        let run = lines[start..]
            .iter()
            .take_while(|line| line.assign.is_some())
            .count();
        if run == 0 {
            start += 1;
            continue;
        }
        let chain = &mut lines[start..start + run];
        let lead = |line: &Line| -> usize {
            let assign = line.assign.unwrap_or_default();
            line.indent * 2 + line.text[..assign].trim_end().chars().count()
        };
        let widest = chain.iter().map(lead).max().unwrap_or_default();
        for line in chain {
            let assign = line.assign.unwrap_or_default();
            let blanks = widest - lead(line) + 1;
            let (name, value) = line.text.split_at(assign);
            line.text = format!("{}{}{value}", name.trim_end(), " ".repeat(blanks));
        }
        start += run;
    }
}

fn write(lines: &[Line]) -> String {
    let mut text = String::new();
    let mut before = "";
    let mut empty = false;
    for line in lines {
        if line.text.is_empty() && !line.verbatim {
            empty = true;
            continue;
        }
        let closes = line.text.starts_with(['}', ']', ')']);
        if empty && !text.is_empty() && !before.ends_with(['{', '[', '(']) && !closes {
            text.push('\n');
        }
        empty = false;
        text.push_str(&"  ".repeat(line.indent));
        text.push_str(&line.text);
        text.push('\n');
        before = &line.text;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_written_as_terraform_fmt_writes_it() {
        let source = "resource \"a\" \"b\" {\n\nname = \"x\"\nlonger_name = \"${var.a[\"}\"]}\"\ntags = {\na = 1\nlong = 2\n}\n\n\nlast = jsonencode([\n1,\n])\n\n}\n";
        let expected = "resource \"a\" \"b\" {\n  name        = \"x\"\n  longer_name = \"${var.a[\"}\"]}\"\n  tags = {\n    a    = 1\n    long = 2\n  }\n\n  last = jsonencode([\n    1,\n  ])\n}\n";
        assert_eq!(format(source), expected);
        assert_eq!(format(expected), expected);
    }

    #[test]
    fn a_heredoc_stays_as_it_is() {
        let source = "a = <<-EOT\n      x = 1\n\n  EOT\n";
        assert!(format(source).contains("      x = 1\n"));
    }

    #[test]
    fn values_are_quoted_and_wrapped() {
        assert_eq!(Value::from("a\"${b}").source(), "\"a\\\"$${b}\"");
        let list = Value::from(vec!["10.0.0.0/24"; 12]);
        assert!(list.source().starts_with("[\n"));
        let map = Value::Map(vec![("a.b".into(), Value::Null)]);
        assert_eq!(map.source(), "{\n\"a.b\" = null\n}");
    }
}
