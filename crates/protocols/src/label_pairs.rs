//! Label sets of what strangers send: any number of pairs, in any order.

use wharf_signal::Labels;

/// A set of these pairs. Of a name that comes twice the last value counts; a pair without name or value is left out.
pub(crate) fn set_of(mut pairs: Vec<(String, String)>) -> Labels {
    pairs.retain(|(name, _)| !name.is_empty());
    // Stable: what came later stays behind.
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    let mut last = pairs
        .iter()
        .skip(1)
        .map(|(name, _)| Some(name))
        .chain([None]);
    let kept: Vec<_> = pairs
        .iter()
        .filter(|(name, value)| last.next().flatten() != Some(name) && !value.is_empty())
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    Labels::from_sorted(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_counts() {
        let pairs = [
            ("b", "1"),
            ("a", "2"),
            ("b", "3"),
            ("c", "4"),
            ("c", ""),
            ("", "x"),
        ];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(set_of(pairs.to_vec()).to_string(), r#"{a="2", b="3"}"#);
        assert!(set_of(Vec::new()).is_empty());
    }
}
