//! Values of series at steps.

use std::collections::HashMap;

use wharf_signal::Labels;

use super::EvalError;

/// At each step some of the series have a value.
#[derive(Debug, Default, Clone)]
pub(super) struct Grid {
    pub(super) series: Vec<Labels>,
    /// Indices into `series`, with values; in this order.
    pub(super) steps: Vec<Vec<(u32, f64)>>,
}

impl Grid {
    pub(super) fn new(steps: usize) -> Self {
        Self {
            series: Vec::new(),
            steps: vec![Vec::new(); steps],
        }
    }
}

/// Series by their labels.
#[derive(Debug, Default)]
pub(super) struct Index {
    known: HashMap<Labels, u32>,
    /// The same series under what stands for their labels, so that these need not be made to find them.
    keys: HashMap<Box<[u8]>, u32>,
    pub(super) series: Vec<Labels>,
}

impl Index {
    /// The series with these labels.
    ///
    /// # Errors
    /// There are too many.
    pub(super) fn of(&mut self, labels: Labels, most: usize) -> Result<u32, EvalError> {
        if let Some(id) = self.known.get(&labels) {
            return Ok(*id);
        }
        let id = u32::try_from(self.series.len()).unwrap_or(u32::MAX);
        if self.series.len() >= most || id == u32::MAX {
            return Err(EvalError::Limit(format!(
                "more than {most} series have to be held for a single query; select fewer streams, or group by fewer labels"
            )));
        }
        self.series.push(labels.clone());
        self.known.insert(labels, id);
        Ok(id)
    }

    /// The series with the labels for which `key` stands, and always stands: they are made only if it is met for the first time.
    ///
    /// # Errors
    /// There are too many.
    pub(super) fn under(
        &mut self,
        key: &[u8],
        labels: impl FnOnce() -> Labels,
        most: usize,
    ) -> Result<u32, EvalError> {
        if let Some(id) = self.keys.get(key) {
            return Ok(*id);
        }
        let id = self.of(labels(), most)?;
        self.keys.insert(key.into(), id);
        Ok(id)
    }
}
