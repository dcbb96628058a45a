//! Counters that are sums over processes: when one ends, the sum would go back, and a counter that goes back looks as if it
//! had begun anew. Such a sum stands still instead, and grows on from there.

use std::collections::BTreeMap;

/// Name, process and begin of a replica.
pub(super) type Identity = (String, i32, u64);

#[derive(Debug, Default)]
pub(super) struct Steady(BTreeMap<Identity, BTreeMap<&'static str, Grown>>);

#[derive(Debug, Default, Clone, Copy)]
struct Grown {
    /// What ended processes have left.
    base: f64,
    last: f64,
}

impl Steady {
    /// The counter, now that the sum is `value`.
    pub(super) fn grow(&mut self, of: Identity, what: &'static str, value: f64) -> f64 {
        let grown = self.0.entry(of).or_default().entry(what).or_default();
        if value < grown.last {
            grown.base += grown.last - value;
        }
        grown.last = value;
        grown.base + value
    }

    /// Forgets all others.
    pub(super) fn keep(&mut self, wanted: impl Fn(&Identity) -> bool) {
        self.0.retain(|identity, _| wanted(identity));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_never_go_back() {
        let mut steady = Steady::default();
        let mut grow = |value| steady.grow(("a".to_owned(), 1, 0), "user", value);
        let seen: Vec<f64> = [1.0, 3.0, 2.0, 2.5, 0.5, 4.0].map(&mut grow).into();
        assert_eq!(seen, [1.0, 3.0, 3.0, 3.5, 3.5, 7.0]);
        steady.keep(|_| false);
        assert_eq!(steady.grow(("a".to_owned(), 1, 0), "user", 1.0), 1.0);
    }
}
