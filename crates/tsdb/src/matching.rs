//! Which series matchers choose, by lists of series for each label pair.

use std::io;

use wharf_signal::{MatchOp, Matcher};

/// Lists of series, ascending, for each label pair: the head's, or a block's.
pub(crate) trait Lists {
    /// All series.
    fn all(&self) -> io::Result<Vec<u32>>;

    /// Adds the series that have a label with this value.
    fn with(&self, name: &str, value: &str, out: &mut Vec<u32>) -> io::Result<()>;

    /// Adds the series that have the label with a value that is wanted, in any order.
    fn having(
        &self,
        name: &str,
        wanted: &mut dyn FnMut(&str) -> bool,
        out: &mut Vec<u32>,
    ) -> io::Result<()>;
}

/// The series that all matchers choose, ascending. As in Prometheus, a label that is not there has the empty value.
pub(crate) fn choose(lists: &impl Lists, matchers: &[Matcher]) -> io::Result<Vec<u32>> {
    let mut chosen: Option<Vec<u32>> = None;
    let (subtract, intersect): (Vec<_>, Vec<_>) = matchers.iter().partition(|m| m.matches_empty());
    // Lists that are found by value are short and cheap: they come first.
    let (listed, scanned): (Vec<_>, Vec<_>) =
        intersect.into_iter().partition(|m| m.values().is_some());
    for matcher in listed.into_iter().chain(scanned) {
        let mut list = Vec::new();
        let count = match matcher.values() {
            Some(values) => {
                let values: Vec<_> = values.into_iter().filter(|v| !v.is_empty()).collect();
                for value in &values {
                    lists.with(&matcher.name, value, &mut list)?;
                }
                values.len()
            }
            None => {
                let wanted = &mut |value: &str| matcher.matches(value);
                lists.having(&matcher.name, wanted, &mut list)?;
                2
            }
        };
        if count > 1 {
            list.sort_unstable();
            list.dedup();
        }
        let list = match chosen {
            None => list,
            Some(chosen) => intersection(chosen, &list),
        };
        if list.is_empty() {
            return Ok(list);
        }
        chosen = Some(list);
    }
    let mut chosen = match chosen {
        Some(chosen) => chosen,
        None => lists.all()?,
    };
    for matcher in subtract {
        if matcher.op == MatchOp::Regex && matcher.value == ".*" {
            continue;
        }
        let mut list = Vec::new();
        match matcher.op {
            MatchOp::NotEqual => lists.with(&matcher.name, &matcher.value, &mut list)?,
            _ => {
                let wanted = &mut |value: &str| !matcher.matches(value);
                lists.having(&matcher.name, wanted, &mut list)?;
                list.sort_unstable();
            }
        }
        chosen = difference(chosen, &list);
        if chosen.is_empty() {
            break;
        }
    }
    Ok(chosen)
}

/// How much longer one list has to be for looking up each element of the other to be faster than going through both.
const MUCH_LONGER: usize = 16;

fn intersection(mut short: Vec<u32>, other: &[u32]) -> Vec<u32> {
    if other.len() / MUCH_LONGER > short.len() {
        short.retain(|id| other.binary_search(id).is_ok());
        return short;
    }
    let mut rest = other;
    short.retain(|id| {
        let skip = rest.iter().take_while(|o| *o < id).count();
        rest = &rest[skip..];
        rest.first() == Some(id)
    });
    short
}

fn difference(mut from: Vec<u32>, other: &[u32]) -> Vec<u32> {
    if other.is_empty() {
        return from;
    }
    let mut rest = other;
    from.retain(|id| {
        let skip = rest.iter().take_while(|o| *o < id).count();
        rest = &rest[skip..];
        rest.first() != Some(id)
    });
    from
}
