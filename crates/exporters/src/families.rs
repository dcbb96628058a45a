//! What a collector gives: families of samples that were all true at one moment.

use std::borrow::Cow;
use std::collections::BTreeMap;

use wharf_signal::{Labels, MetricKind};

/// Samples of one metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// The metric's name, which is also that of every sample.
    pub name: Cow<'static, str>,
    /// One sentence.
    pub help: Cow<'static, str>,
    /// Its kind.
    pub kind: MetricKind,
    /// Labels, without the name, and values.
    pub samples: Vec<(Labels, f64)>,
}

impl Family {
    /// Adds a sample. The labels may come in any order; those with an empty value are left out.
    pub fn add(&mut self, labels: &[(&str, &str)], value: f64) -> &mut Self {
        let mut pairs: Vec<(&str, &str)> = labels
            .iter()
            .copied()
            .filter(|(_, value)| !value.is_empty())
            .collect();
        pairs.sort_unstable();
        self.samples.push((Labels::from_sorted(pairs), value));
        self
    }
}

/// Families by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Families(BTreeMap<Cow<'static, str>, Family>);

impl Families {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The family of a name; the first to ask for it says what it is.
    pub fn family(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        kind: MetricKind,
        help: impl Into<Cow<'static, str>>,
    ) -> &mut Family {
        let name = name.into();
        self.0.entry(name).or_insert_with_key(|name| Family {
            name: name.clone(),
            help: help.into(),
            kind,
            samples: vec![],
        })
    }

    /// A family of what goes up and down.
    pub fn gauge(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        help: impl Into<Cow<'static, str>>,
    ) -> &mut Family {
        self.family(name, MetricKind::Gauge, help)
    }

    /// A family of what only grows.
    pub fn counter(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        help: impl Into<Cow<'static, str>>,
    ) -> &mut Family {
        self.family(name, MetricKind::Counter, help)
    }

    /// A family of which nobody says what it is: some exporters leave it open, and so does this.
    pub fn untyped(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        help: impl Into<Cow<'static, str>>,
    ) -> &mut Family {
        self.family(name, MetricKind::Unknown, help)
    }

    /// The families, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Family> {
        self.0.values()
    }

    /// The family of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Family> {
        self.0.get(name)
    }

    /// The value of one series; for tests and for those who need a single figure.
    #[must_use]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let wanted = Labels::from_pairs(labels.iter().copied());
        let mut samples = self.get(name)?.samples.iter();
        samples
            .find(|(labels, _)| *labels == wanted)
            .map(|(_, value)| *value)
    }

    /// How many samples there are in all.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.iter().map(|family| family.samples.len()).sum()
    }

    /// Takes the samples of others; of a family that both have, both.
    pub fn merge(&mut self, others: Self) {
        for (name, family) in others.0 {
            match self.0.get_mut(&name) {
                Some(own) => own.samples.extend(family.samples),
                None => {
                    self.0.insert(name, family);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_ordered_and_joined() {
        let mut families = Families::new();
        families
            .gauge("b", "B.")
            .add(&[("y", "2"), ("x", "1")], 1.0);
        families.counter("a_total", "A.").add(&[("x", "")], 2.0);
        families.gauge("b", "Another help.").add(&[], 3.0);
        let mut more = Families::new();
        more.gauge("b", "B.").add(&[("x", "3")], 4.0);
        families.merge(more);
        let names: Vec<&str> = families.iter().map(|family| &*family.name).collect();
        assert_eq!(names, ["a_total", "b"]);
        assert_eq!(families.value("b", &[("x", "1"), ("y", "2")]), Some(1.0));
        assert_eq!(families.value("a_total", &[]), Some(2.0));
        assert_eq!(families.value("b", &[]), Some(3.0));
        assert_eq!(families.samples(), 4);
        assert_eq!(families.get("b").unwrap().help, "B.");
    }
}
