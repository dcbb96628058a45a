//! Label names, their values, series, and what takes the most.

use std::collections::BTreeSet;

use hashbrown::HashMap;
use wharf_signal::{Interrupt, Labels, Matcher, NAME, Select, SourceError};

use crate::db::Db;
use crate::query::Merged;
use crate::state::{Cardinality, Count};

impl Db {
    /// The names of labels of series that match, and that may have samples between two times, inclusive; ordered.
    ///
    /// # Errors
    /// The store failed, or `interrupt` said so.
    pub fn label_names(
        &self,
        matchers: &[Matcher],
        start: i64,
        end: i64,
        interrupt: &dyn Interrupt,
    ) -> Result<Vec<String>, SourceError> {
        let mut names = BTreeSet::new();
        if matchers.is_empty() {
            let head = self.inner.read();
            if head.min_t <= end && head.max_t >= start || !head.late.is_empty() {
                names.extend(
                    head.postings
                        .names()
                        .map(|n| head.symbols.text(n).to_owned()),
                );
            }
            for block in head.blocks.iter().filter(|b| b.overlaps(start, end)) {
                names.extend(block.index.names().map(str::to_owned));
            }
        } else {
            let select = Select {
                matchers,
                start,
                end,
            };
            let mut merged = Merged::new(&self.inner, select, interrupt)?;
            while let Some(labels) = merged.next() {
                for (name, _) in &labels? {
                    if !names.contains(name) {
                        names.insert(name.to_owned());
                    }
                }
            }
        }
        Ok(names.into_iter().collect())
    }

    /// The values of a label of series that match, and that may have samples between two times, inclusive; ordered.
    ///
    /// # Errors
    /// The store failed, or `interrupt` said so.
    pub fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        start: i64,
        end: i64,
        interrupt: &dyn Interrupt,
    ) -> Result<Vec<String>, SourceError> {
        let mut values = BTreeSet::new();
        if matchers.is_empty() {
            let blocks = {
                let head = self.inner.read();
                let wanted = head.min_t <= end && head.max_t >= start || !head.late.is_empty();
                if let Some(name) = head.symbols.find(name).filter(|_| wanted) {
                    let texts = head
                        .postings
                        .values(name)
                        .map(|(v, _)| head.symbols.text(v));
                    values.extend(texts.map(str::to_owned));
                }
                head.blocks.clone()
            };
            for block in blocks.iter().filter(|b| b.overlaps(start, end)) {
                interrupt.check()?;
                let read = block.index.values(name, &mut |value, _| {
                    if !values.contains(value) {
                        values.insert(value.to_owned());
                    }
                });
                if let Err(error) = read {
                    let what = format!("{error}; it is left out of answers");
                    self.inner.damaged(&block.dir, what);
                }
            }
        } else {
            let select = Select {
                matchers,
                start,
                end,
            };
            let mut merged = Merged::new(&self.inner, select, interrupt)?;
            while let Some(labels) = merged.next() {
                if let Some(value) = labels?.get(name)
                    && !values.contains(value)
                {
                    values.insert(value.to_owned());
                }
            }
        }
        Ok(values.into_iter().collect())
    }

    /// The series that match and may have samples between two times, inclusive; ordered, up to `limit`.
    ///
    /// # Errors
    /// The store failed, or `interrupt` said so.
    pub fn series(
        &self,
        matchers: &[Matcher],
        start: i64,
        end: i64,
        limit: usize,
        interrupt: &dyn Interrupt,
    ) -> Result<Vec<Labels>, SourceError> {
        let select = Select {
            matchers,
            start,
            end,
        };
        let mut merged = Merged::new(&self.inner, select, interrupt)?;
        std::iter::from_fn(|| merged.next()).take(limit).collect()
    }

    /// What takes the most in the head: the first `limit` of each kind.
    #[must_use]
    pub fn cardinality(&self, limit: usize) -> Cardinality {
        let head = self.inner.read();
        let mut cardinality = Cardinality::default();
        let mut pairs: Vec<(u64, u32, u32)> = Vec::new();
        let mut bytes = HashMap::new();
        for name in head.postings.names() {
            let mut values = 0;
            let metric = head.symbols.text(name) == NAME;
            for (value, list) in head.postings.values(name) {
                values += 1;
                *bytes.entry(name).or_insert(0) += head.symbols.text(value).len() as u64;
                pairs.push((list.len() as u64, name, value));
                if metric {
                    let metric = head.symbols.text(value).to_owned();
                    cardinality
                        .series_by_metric
                        .push((metric, list.len() as u64));
                }
            }
            let name = head.symbols.text(name).to_owned();
            cardinality.values_by_label.push((name, values));
        }
        let text = |id: u32| head.symbols.text(id).to_owned();
        cardinality.bytes_by_label = bytes.into_iter().map(|(n, b)| (text(n), b)).collect();
        pairs.sort_unstable_by(|a, b| b.cmp(a));
        pairs.truncate(limit);
        cardinality.series_by_pair = pairs
            .into_iter()
            .map(|(count, n, v)| (format!("{}={}", text(n), text(v)), count))
            .collect();
        for list in [
            &mut cardinality.series_by_metric,
            &mut cardinality.values_by_label,
            &mut cardinality.bytes_by_label,
            &mut cardinality.series_by_pair,
        ] {
            most(list, limit);
        }
        cardinality
    }
}

/// The largest first; of equals by name.
fn most(list: &mut Vec<Count>, limit: usize) {
    list.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    list.truncate(limit);
}
