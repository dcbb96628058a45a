//! Regular expressions as RE2 and Go write them, for an engine whose syntax is almost the same.
//!
//! Queries come from Prometheus's and Loki's world. Where the two syntaxes differ, the pattern is rewritten:
//! - `\d`, `\w`, `\s` and `\b` are about ASCII;
//! - `\Q...\E` quotes;
//! - `{` that begins no repetition stands for itself;
//! - within `[...]`, `[`, `&&`, `--` and `~~` mean nothing special.

use regex::{Regex, RegexBuilder};

/// What a hostile pattern may cost in memory; Go's has no such limit but a nesting depth.
const SIZE_LIMIT: usize = 4 << 20;

/// An expression from RE2's syntax, not anchored; `.` is everything but a line feed.
///
/// # Errors
/// It is none, or too large.
pub fn compile_regexp(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(&translate_regexp(pattern))
        .size_limit(SIZE_LIMIT)
        .build()
}

/// The same pattern in the syntax of the `regex` crate.
#[must_use]
pub fn translate_regexp(pattern: &str) -> String {
    if !pattern.contains(['\\', '[', '{']) {
        return pattern.to_owned();
    }
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        rest = match c {
            '\\' => escape(rest, &mut out),
            '[' => class(rest, &mut out),
            '{' if !is_repetition(rest) => {
                out.push_str("\\{");
                &rest[1..]
            }
            _ => {
                out.push(c);
                &rest[c.len_utf8()..]
            }
        };
    }
    out
}

/// Takes an escape outside of a class.
fn escape<'a>(rest: &'a str, out: &mut String) -> &'a str {
    let after = &rest[1..];
    let Some(c) = after.chars().next() else {
        out.push('\\');
        return after;
    };
    let after_c = &after[c.len_utf8()..];
    match c {
        'Q' => {
            let (literal, rest) = after_c.split_once("\\E").unwrap_or((after_c, ""));
            out.push_str(&regex::escape(literal));
            return rest;
        }
        'd' => out.push_str("[0-9]"),
        'D' => out.push_str("[^0-9]"),
        'w' => out.push_str("[0-9A-Za-z_]"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        's' => out.push_str("[\\t\\n\\f\\r ]"),
        'S' => out.push_str("[^\\t\\n\\f\\r ]"),
        'b' => out.push_str("(?-u:\\b)"),
        _ => {
            out.push('\\');
            out.push(c);
            if c == 'p' || c == 'P' || c == 'x' {
                return braces(after_c, out);
            }
        }
    }
    after_c
}

/// Takes the braces of `\p{...}` and `\x{...}`.
fn braces<'a>(rest: &'a str, out: &mut String) -> &'a str {
    match rest.find('}') {
        Some(end) if rest.starts_with('{') => {
            out.push_str(&rest[..=end]);
            &rest[end + 1..]
        }
        _ => rest,
    }
}

/// Takes a class; one without an end goes as it is.
fn class<'a>(rest: &'a str, out: &mut String) -> &'a str {
    out.push('[');
    let mut rest = &rest[1..];
    if let Some(after) = rest.strip_prefix('^') {
        out.push('^');
        rest = after;
    }
    if let Some(after) = rest.strip_prefix(']') {
        out.push_str("\\]");
        rest = after;
    }
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        match c {
            ']' => {
                out.push(']');
                return after;
            }
            '[' => {
                if let Some(end) = rest.find(":]").filter(|_| rest.starts_with("[:")) {
                    out.push_str(&rest[..end + 2]);
                    rest = &rest[end + 2..];
                    continue;
                }
                out.push_str("\\[");
            }
            '\\' => {
                let Some(c) = after.chars().next() else {
                    out.push('\\');
                    return after;
                };
                rest = &after[c.len_utf8()..];
                match c {
                    'd' => out.push_str("0-9"),
                    'D' => out.push_str("[^0-9]"),
                    'w' => out.push_str("0-9A-Za-z_"),
                    'W' => out.push_str("[^0-9A-Za-z_]"),
                    's' => out.push_str("\\t\\n\\f\\r "),
                    'S' => out.push_str("[^\\t\\n\\f\\r ]"),
                    _ => {
                        out.push('\\');
                        out.push(c);
                        if c == 'p' || c == 'P' || c == 'x' {
                            rest = braces(rest, out);
                        }
                    }
                }
                continue;
            }
            '&' | '~' if after.starts_with(c) => {
                out.push('\\');
                out.push(c);
            }
            // A `-` at an end stands for itself; `--` would be a difference.
            '-' if after.starts_with('-') => out.push_str("\\-"),
            _ => out.push(c),
        }
        rest = after;
    }
    rest
}

/// Whether `{...}` is `{2}`, `{2,}` or `{2,3}`.
fn is_repetition(rest: &str) -> bool {
    let Some((inner, _)) = rest[1..].split_once('}') else {
        return false;
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (low, high) = inner.split_once(',').unwrap_or((inner, ""));
    !low.is_empty() && digits(low) && digits(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, yes: &[&str], no: &[&str]) {
        let regex = compile_regexp(pattern).expect(pattern);
        for text in yes {
            assert!(regex.is_match(text), "{pattern} on {text:?}");
        }
        for text in no {
            assert!(!regex.is_match(text), "{pattern} on {text:?}");
        }
    }

    #[test]
    fn what_go_takes_means_the_same_here() {
        check("^/items/{id}$", &["/items/{id}"], &["/items/1"]);
        check("^a{2,3}$", &["aa", "aaa"], &["a", "aaaa"]);
        check("^{$", &["{"], &[]);
        check(r"^\d+$", &["12"], &["١٢"]);
        check(r"^[\d.]+$", &["1.2"], &["a"]);
        check(r"^[^\s]+$", &["ab"], &["a b"]);
        check(r"^[\S]+$", &["ab"], &["a b"]);
        check(r"^\Qa.b[\E$", &["a.b["], &["axb["]);
        check(r"^[[]a[]]$", &["[a]"], &[]);
        check(r"^[&&a]+$", &["&a"], &["b"]);
        check(r"^[[:alpha:]_]+$", &["a_b"], &["1"]);
        check(r"\bfoo\b", &["a foo b"], &["afoo"]);
        check(r"^\p{Greek}$", &["α"], &["a"]);
        check(r"^\{\w+\}$", &["{ab}"], &["{ä}"]);
        check(r"^[\w.-]+$", &["a-b"], &["a b"]);
    }

    #[test]
    fn what_is_none_is_refused() {
        for pattern in ["(", "[a", "\\", "(?P<>a)", "[\\"] {
            assert!(compile_regexp(pattern).is_err(), "{pattern}");
        }
    }
}
