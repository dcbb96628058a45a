//! What is taken of what is pushed: labels that are labels, lines and metadata within their limits.

use std::borrow::Cow;

use wharf_signal::Labels;

use crate::batch::Refusal;
use crate::codec::{put_bytes, put_number};
use crate::options::Limits;

/// Whether a stream may have these labels.
pub(crate) fn labels(labels: &Labels, limits: &Limits) -> Result<(), Refusal> {
    let refuse = |why: String| Err(Refusal::Labels(why));
    if labels.is_empty() {
        return refuse("error at least one label pair is required per stream".to_owned());
    }
    let count = labels.len();
    if count > limits.labels {
        return refuse(format!(
            "stream {labels} has {count} label names; limit {}",
            limits.labels
        ));
    }
    for (name, value) in labels {
        if !is_name(name) {
            return refuse(format!(
                "stream {labels} has an invalid label name: {name:?}"
            ));
        }
        if name.len() > limits.name_bytes {
            return refuse(format!(
                "a label name of {} bytes is too long; limit {}",
                name.len(),
                limits.name_bytes
            ));
        }
        if value.len() > limits.value_bytes {
            return refuse(format!(
                "the value of label {name} is too long: {} bytes; limit {}",
                value.len(),
                limits.value_bytes
            ));
        }
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    let part = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
    name.bytes().all(part) && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// A line within the limit: what is longer is cut, and says so at its end.
pub(crate) fn line<'a>(line: &'a str, limits: &Limits) -> Cow<'a, str> {
    if line.len() <= limits.line_bytes {
        return Cow::Borrowed(line);
    }
    let mark = format!(" [cut: {} bytes]", line.len());
    let keep = limits.line_bytes.saturating_sub(mark.len());
    let border = (0..=keep).rev().find(|at| line.is_char_boundary(*at));
    let kept = line.get(..border.unwrap_or_default()).unwrap_or_default();
    Cow::Owned(format!("{kept}{mark}"))
}

/// Metadata within its limits, packed, and whether something was left out. None is no bytes.
pub(crate) fn metadata(labels: &Labels, limits: &Limits, out: &mut Vec<u8>) -> bool {
    out.clear();
    if labels.is_empty() {
        return false;
    }
    let mut bytes = 0;
    let fits = |(name, value): &(&str, &str)| {
        bytes += name.len() + value.len();
        bytes <= limits.metadata_bytes
    };
    let all = labels.len();
    let kept = labels.iter().take(limits.metadata).take_while(fits).count();
    if kept > 0 {
        put_number(out, kept as u64);
        for (name, value) in labels.iter().take(kept) {
            put_bytes(out, name.as_bytes());
            put_bytes(out, value.as_bytes());
        }
    }
    kept < all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::unpack;

    #[track_caller]
    fn check(pairs: &[(&str, &str)], expected: &str) {
        let limits = Limits {
            labels: 2,
            value_bytes: 5,
            name_bytes: 5,
            ..Limits::default()
        };
        let set = Labels::from_pairs(pairs.iter().copied());
        let said = labels(&set, &limits).map_or_else(|e| e.to_string(), |()| "taken".to_owned());
        assert!(said.contains(expected), "{said}");
    }

    #[test]
    fn labels_have_rules() {
        check(&[("a", "1"), ("_b2", "2")], "taken");
        check(&[], "at least one label");
        check(
            &[("a", "1"), ("b", "2"), ("c", "3")],
            "3 label names; limit 2",
        );
        check(&[("a b", "1")], "invalid label name");
        check(&[("1a", "1")], "invalid label name");
        check(&[("a", "123456")], "too long: 6 bytes");
        check(&[("abcdef", "1")], "6 bytes is too long");
    }

    #[test]
    fn long_lines_are_cut_between_characters() {
        let limits = Limits {
            line_bytes: 40,
            ..Limits::default()
        };
        assert_eq!(line("short", &limits), "short");
        let cut = line(&"é".repeat(30), &limits).into_owned();
        assert!(
            cut.len() <= 40 && cut.ends_with("é [cut: 60 bytes]"),
            "{cut}"
        );
    }

    #[test]
    fn metadata_has_limits() {
        let limits = Limits {
            metadata: 2,
            metadata_bytes: 6,
            ..Limits::default()
        };
        let mut out = Vec::new();
        let set = Labels::from_pairs([("a", "1"), ("b", "2"), ("c", "3")]);
        assert!(metadata(&set, &limits, &mut out));
        assert_eq!(
            unpack(&out).map(|l| l.to_string()).as_deref(),
            Ok(r#"{a="1", b="2"}"#)
        );
        assert!(!metadata(&Labels::empty(), &limits, &mut out) && out.is_empty());
        let long = Labels::from_pairs([("a", "1234567")]);
        assert!(metadata(&long, &limits, &mut out) && out.is_empty());
    }
}
