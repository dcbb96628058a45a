//! The last lines of one process, for failure sentences.

use wharf_base::ids::Name;
use wharf_process::log::{Kind, Merge, Start, series_in};

use crate::state_dir::StateDir;

/// The longest quoted line: a sentence is to stay one.
const LINE_MAX_CHARS: usize = 300;

/// The last `count` lines that the process `id` of `service` wrote; empty if there are none or they cannot be read.
pub(crate) fn tail_of(state: &StateDir, service: &Name, id: &str, count: usize) -> Vec<String> {
    let mut series = series_in(&state.logs(service)).unwrap_or_default();
    series.retain(|series| series.name == id);
    let start = Start {
        tail: Some(count),
        since: None,
    };
    let lines = Merge::new(series, start).filter(|record| record.kind != Kind::Note);
    lines
        .map(|record| {
            record
                .text
                .trim_end()
                .chars()
                .take(LINE_MAX_CHARS)
                .collect()
        })
        .collect()
}
