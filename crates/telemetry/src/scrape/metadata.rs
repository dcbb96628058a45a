//! What a target says of its metrics beside the samples: kind, unit, help.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use wharf_signal::{Metadata, MetricKind};

/// By family.
pub(super) type Published = Arc<BTreeMap<String, Metadata>>;

/// How many scrapes a family is remembered that is not told of any more; as Prometheus.
const REMEMBERED: u32 = 10;

/// What is known, and whether it has changed since it was published.
#[derive(Debug, Default)]
pub(super) struct Book {
    families: HashMap<String, (Metadata, u32)>,
    changed: bool,
}

impl Book {
    pub(super) fn kind(&mut self, family: &str, kind: MetricKind, scrape: u32) {
        self.edit(
            family,
            scrape,
            |known| known.kind != kind,
            |known| known.kind = kind,
        );
    }

    pub(super) fn unit(&mut self, family: &str, unit: &str, scrape: u32) {
        self.edit(
            family,
            scrape,
            |known| known.unit != unit,
            |known| unit.clone_into(&mut known.unit),
        );
    }

    pub(super) fn help(&mut self, family: &str, help: &str, scrape: u32) {
        self.edit(
            family,
            scrape,
            |known| known.help != help,
            |known| help.clone_into(&mut known.help),
        );
    }

    fn edit(
        &mut self,
        family: &str,
        scrape: u32,
        differs: impl Fn(&Metadata) -> bool,
        set: impl Fn(&mut Metadata),
    ) {
        let (known, seen) = match self.families.get_mut(family) {
            Some(entry) => entry,
            None => {
                self.changed = true;
                self.families.entry(family.to_owned()).or_default()
            }
        };
        *seen = scrape;
        if differs(known) {
            set(known);
            self.changed = true;
        }
    }

    /// Forgets what has not been told of for long, and gives all of it if anything has changed.
    pub(super) fn publish(&mut self, scrape: u32) -> Option<Published> {
        let before = self.families.len();
        self.families
            .retain(|_, (_, seen)| scrape.wrapping_sub(*seen) < REMEMBERED);
        if !std::mem::take(&mut self.changed) && before == self.families.len() {
            return None;
        }
        let all = self.families.iter();
        Some(Arc::new(
            all.map(|(family, (known, _))| (family.clone(), known.clone()))
                .collect(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_is_published_and_what_is_gone_is_forgotten() {
        let mut book = Book::default();
        book.kind("a", MetricKind::Counter, 1);
        book.help("a", "A.", 1);
        book.unit("b", "seconds", 1);
        let all = book.publish(1).unwrap();
        assert_eq!(
            (&*all["a"].help, all["a"].kind),
            ("A.", MetricKind::Counter)
        );
        assert_eq!(all["b"].unit, "seconds");
        book.help("a", "A.", 2);
        assert!(book.publish(2).is_none());
        book.help("a", "Another.", 11);
        let all = book.publish(11).unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!(all["a"].help, "Another.");
    }
}
