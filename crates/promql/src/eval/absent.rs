//! `absent` and `absent_over_time`: 1 where there is nothing.

use wharf_signal::Labels;

use super::row::{Grid, Row};

/// A series of 1 at every step at which no row has a value; none if there is no such step.
pub(super) fn where_absent(labels: Labels, rows: &[Row], grid: Grid) -> Vec<Row> {
    let mut covered = vec![false; grid.steps];
    for row in rows {
        for (step, _) in row.present() {
            covered[step] = true;
        }
    }
    let mut absent = Row::new(labels, false);
    for (step, _) in covered.iter().enumerate().filter(|(_, covered)| !**covered) {
        absent.push(step, 1.0);
    }
    if absent.is_empty() {
        Vec::new()
    } else {
        vec![absent]
    }
}
