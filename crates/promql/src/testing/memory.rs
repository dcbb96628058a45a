//! Samples in memory, asked by this crate's evaluator.

use std::collections::BTreeMap;

use wharf_signal::{
    Interrupt, Labels, Sample, SampleSource, Select, Selected, Series, SourceError,
};

use super::run::Target;
use crate::{Evaluated, Options, ParseOptions};

/// A store of samples.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    series: BTreeMap<Labels, Vec<Sample>>,
    /// What of the language is allowed.
    pub language: ParseOptions,
    /// Whether names of metrics are removed at the end only.
    pub delayed_name_removal: bool,
}

impl Memory {
    /// Adds samples; of two at the same time the later one counts.
    pub fn add(&mut self, labels: &Labels, samples: &[Sample]) {
        let all = self.series.entry(labels.clone()).or_default();
        all.extend_from_slice(samples);
        all.sort_by_key(|sample| sample.t);
        let mut kept: Vec<Sample> = Vec::with_capacity(all.len());
        for sample in all.iter() {
            match kept.last_mut() {
                Some(last) if last.t == sample.t => *last = *sample,
                _ => kept.push(*sample),
            }
        }
        *all = kept;
    }

    fn options(&self) -> Options<'static> {
        Options {
            delayed_name_removal: self.delayed_name_removal,
            ..Options::default()
        }
    }
}

impl SampleSource for Memory {
    fn select<'a>(
        &'a self,
        select: Select<'a>,
        _interrupt: &'a dyn Interrupt,
    ) -> Result<Selected<'a>, SourceError> {
        let series = self.series.iter().filter_map(move |(labels, samples)| {
            if !select.matchers.iter().all(|m| m.matches_labels(labels)) {
                return None;
            }
            let start = samples.partition_point(|s| s.t < select.start);
            let end = samples.partition_point(|s| s.t <= select.end);
            (start < end).then(|| {
                Ok(Series {
                    labels: labels.clone(),
                    samples: samples[start..end].to_vec(),
                })
            })
        });
        Ok(Box::new(series))
    }
}

impl Target for Memory {
    fn load(&mut self, series: &[Series]) -> Result<(), String> {
        for series in series {
            self.add(&series.labels, &series.samples);
        }
        Ok(())
    }

    fn clear(&mut self) -> Result<(), String> {
        self.series.clear();
        Ok(())
    }

    fn instant(&mut self, query: &str, at: i64) -> Result<Evaluated, String> {
        let expr = crate::parse_with(query, self.language).map_err(|e| e.to_string())?;
        crate::instant(self, &expr, at, &self.options()).map_err(|e| e.to_string())
    }

    fn range(&mut self, query: &str, start: i64, end: i64, step: i64) -> Result<Evaluated, String> {
        let expr = crate::parse_with(query, self.language).map_err(|e| e.to_string())?;
        let options = self.options();
        crate::range(self, &expr, start, end, step, &options).map_err(|e| e.to_string())
    }
}
