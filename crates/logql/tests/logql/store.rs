//! Lines in memory.

use std::ops::ControlFlow;

use wharf_signal::{
    Direction, Interrupt, Labels, LogEntry, LogSelect, LogSource, LogVisit, SourceError,
};

/// Entries with the labels of their streams, ordered by time.
pub(crate) struct Store(pub(crate) Vec<(Labels, LogEntry)>);

impl Store {
    /// One line a second, from 1 s on.
    pub(crate) fn of(lines: &[(&str, &str)]) -> Self {
        let entry = |(index, (app, line)): (usize, &(&str, &str))| {
            let entry = LogEntry {
                nanos: i64::try_from(index + 1).expect("few") * 1_000_000_000,
                line: (*line).to_owned(),
                metadata: Labels::from_pairs([("trace_id", format!("t{index}"))]),
            };
            (Labels::from_pairs([("app", *app)]), entry)
        };
        Self(lines.iter().enumerate().map(entry).collect())
    }
}

impl LogSource for Store {
    fn visit(
        &self,
        select: LogSelect<'_>,
        _: &dyn Interrupt,
        visit: &mut LogVisit<'_>,
    ) -> Result<(), SourceError> {
        let wanted = |(labels, entry): &&(Labels, LogEntry)| {
            (select.start..select.end).contains(&entry.nanos)
                && select.matchers.iter().all(|m| m.matches_labels(labels))
                && select.contains.iter().all(|text| entry.line.contains(text))
                && select
                    .metadata
                    .iter()
                    .filter(|(name, _)| labels.get(name).is_none())
                    .all(|(name, value)| entry.metadata.get(name) == Some(value))
        };
        let mut entries: Vec<_> = self.0.iter().filter(wanted).collect();
        if select.direction == Direction::Backward {
            entries.reverse();
        }
        for (labels, entry) in entries {
            if visit(labels, entry) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }

    /// One stream after the other, the newest first.
    fn visit_unordered(
        &self,
        select: LogSelect<'_>,
        interrupt: &dyn Interrupt,
        visit: &mut LogVisit<'_>,
    ) -> Result<(), SourceError> {
        let mut streams: Vec<&Labels> = self.0.iter().map(|(labels, _)| labels).collect();
        streams.sort();
        streams.dedup();
        let select = LogSelect {
            direction: Direction::Backward,
            ..select
        };
        for stream in streams.into_iter().rev() {
            self.visit(select, interrupt, &mut |labels, entry| {
                if labels != stream {
                    return ControlFlow::Continue(());
                }
                visit(labels, entry)
            })?;
        }
        Ok(())
    }
}
