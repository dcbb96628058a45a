//! The order in which people count: `node2` before `node10`.

use std::cmp::Ordering;

/// Compares texts, runs of digits in them by their number.
pub(super) fn compare(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one, other);
    loop {
        if one.is_empty() || other.is_empty() {
            return one.len().cmp(&other.len());
        }
        let ((a, rest_a), (b, rest_b)) = (chunk(one), chunk(other));
        let order = match (digits(a), digits(b)) {
            (Some(x), Some(y)) => (x.len(), x).cmp(&(y.len(), y)).then(a.len().cmp(&b.len())),
            _ => a.cmp(b),
        };
        if order != Ordering::Equal {
            return order;
        }
        (one, other) = (rest_a, rest_b);
    }
}

/// The first run of digits or of other characters, and the rest.
fn chunk(text: &str) -> (&str, &str) {
    let is_number = text.starts_with(|c: char| c.is_ascii_digit());
    let end = text.find(|c: char| c.is_ascii_digit() != is_number);
    text.split_at(end.unwrap_or(text.len()))
}

/// A run of digits without the zeros before it.
fn digits(chunk: &str) -> Option<&str> {
    let is_number = chunk.starts_with(|c: char| c.is_ascii_digit());
    is_number.then(|| chunk.trim_start_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count() {
        let mut names = ["n10", "n2", "n", "a10b2", "a10b10", "02", "1"];
        names.sort_by(|a, b| compare(a, b));
        assert_eq!(names, ["1", "02", "a10b2", "a10b10", "n", "n2", "n10"]);
    }
}
