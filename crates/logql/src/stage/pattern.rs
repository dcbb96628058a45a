//! Patterns: `<ip> - <_> "<method> <path>"`.

use memchr::memmem;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Text(String),
    /// A name; `_` is none.
    Capture(String),
}

/// A pattern.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    nodes: Vec<Node>,
}

impl Pattern {
    fn read(text: &str) -> Result<Self, String> {
        let mut nodes = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if let Some(name) = capture(rest) {
                if !literal.is_empty() {
                    nodes.push(Node::Text(std::mem::take(&mut literal)));
                }
                if let Some(Node::Capture(before)) = nodes.last() {
                    return Err(format!(
                        "found consecutive capture '<{before}><{name}>': invalid expression"
                    ));
                }
                nodes.push(Node::Capture(name.to_owned()));
                rest = &rest[name.len() + 2..];
            } else {
                literal.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
        if !literal.is_empty() {
            nodes.push(Node::Text(literal));
        }
        Ok(Self { nodes })
    }

    /// A pattern that extracts labels.
    ///
    /// # Errors
    /// It has no name, the same twice, or two without anything between them.
    pub(crate) fn parser(text: &str) -> Result<Self, String> {
        let pattern = Self::read(text)?;
        let names: Vec<_> = pattern.names().collect();
        if names.is_empty() {
            return Err("at least one capture is required".to_owned());
        }
        for (index, name) in names.iter().enumerate() {
            if names[..index].contains(name) {
                return Err(format!(
                    "duplicate capture name ({name}): invalid expression"
                ));
            }
        }
        Ok(pattern)
    }

    /// A pattern of a line filter: only `<_>`.
    ///
    /// # Errors
    /// It has names, or two captures without anything between them.
    pub(crate) fn filter(text: &str) -> Result<Self, String> {
        let pattern = Self::read(text)?;
        if let Some(name) = pattern.names().next() {
            return Err(format!("named captures are not allowed: found '<{name}>'"));
        }
        Ok(pattern)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Capture(name) if name != "_" => Some(name.as_str()),
            _ => None,
        })
    }

    /// Gives what each name stands for, as far as the line goes along with it.
    pub(crate) fn captures<'a>(&self, line: &'a str, mut found: impl FnMut(&str, &'a str)) {
        if line.is_empty() {
            return;
        }
        let mut rest = line;
        let mut nodes = self.nodes.as_slice();
        if let [Node::Text(text), after @ ..] = nodes {
            match rest.strip_prefix(text.as_str()) {
                Some(stripped) => rest = stripped,
                None => return,
            }
            nodes = after;
        }
        while let [Node::Capture(name), after @ ..] = nodes {
            let (value, next) = match after {
                [Node::Text(text), ..] => match rest.split_once(text.as_str()) {
                    Some((value, next)) => (value, Some(next)),
                    None => (rest, None),
                },
                _ => (rest, None),
            };
            if name != "_" {
                found(name, value);
            }
            match (next, after) {
                (Some(next), [_, after @ ..]) => (rest, nodes) = (next, after),
                _ => return,
            }
        }
    }

    /// Whether a line fits as a whole behind its first text: no capture may be empty.
    pub(crate) fn is_match(&self, line: &str) -> bool {
        if line.is_empty() || self.nodes.is_empty() {
            return line.is_empty() && self.nodes.is_empty();
        }
        let mut rest = line.as_bytes();
        for (index, node) in self.nodes.iter().enumerate() {
            let Node::Text(text) = node else { continue };
            let Some(at) = memmem::find(rest, text.as_bytes()) else {
                return false;
            };
            if index > 0 && at == 0 {
                return false;
            }
            rest = &rest[at + text.len()..];
        }
        let ends_open = matches!(self.nodes.last(), Some(Node::Capture(_)));
        ends_open != rest.is_empty()
    }

    /// Texts that every line has that fits.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Text(text) => Some(text.as_str()),
            Node::Capture(_) => None,
        })
    }
}

/// The name of the capture that begins here.
fn capture(text: &str) -> Option<&str> {
    let name = text.strip_prefix('<')?.split_once('>')?.0;
    let letters = name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric());
    let first = name.bytes().next()?;
    (letters && !first.is_ascii_digit()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, line: &str, expected: &[(&str, &str)]) {
        let pattern = Pattern::parser(pattern).expect(pattern);
        let mut all = Vec::new();
        pattern.captures(line, |name, value| {
            all.push((name.to_owned(), value.to_owned()))
        });
        let all: Vec<_> = all.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(all, expected, "{line}");
    }

    #[test]
    fn names_stand_for_what_is_between() {
        let access = r#"<ip> - - <_> "<method> <path>" <status>"#;
        check(
            access,
            r#"1.2.3.4 - - [x] "GET /a b" 200"#,
            &[
                ("ip", "1.2.3.4"),
                ("method", "GET"),
                ("path", "/a b"),
                ("status", "200"),
            ],
        );
        check(access, "1.2.3.4 - - no", &[("ip", "1.2.3.4")]);
        check("a <b>", "x", &[]);
        check("<a> <_b", "1 <_b", &[("a", "1")]);
    }

    #[test]
    fn patterns_without_sense_are_refused() {
        for bad in ["", "<_>", "a", "<a><b>", "<a> <a>", "<9>"] {
            assert!(Pattern::parser(bad).is_err(), "{bad}");
        }
        assert!(Pattern::filter("<a> b").is_err());
    }

    #[test]
    fn filters_fit_a_line_as_a_whole() {
        for (pattern, line, expected) in [
            ("foo <_> baz", "foo bar baz", true),
            ("foo <_>", "foo ", false),
            ("<_> bar", "foo bar baz", false),
            ("<_> baz", "foo bar baz", true),
            ("<_>", "x", true),
            ("", "", true),
            ("", "x", false),
        ] {
            let filter = Pattern::filter(pattern).expect(pattern);
            assert_eq!(filter.is_match(line), expected, "{pattern} on {line}");
        }
    }
}
