//! A store in memory that refuses what a real one refuses.

use std::collections::BTreeMap;
use std::sync::Mutex;

use wharf_signal::{AppendError, Appender, Labels, Sample, SampleSink, SeriesRef};

#[derive(Default)]
pub(super) struct Memory(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    series: Vec<(Labels, Vec<Sample>)>,
    numbers: BTreeMap<Labels, u64>,
    full: bool,
}

impl Memory {
    /// The samples of a series; `text` is a label set as it is displayed.
    pub(super) fn samples(&self, text: &str) -> Vec<Sample> {
        let kept = self.0.lock().unwrap();
        let found = kept.series.iter().find(|(l, _)| l.to_string() == text);
        found
            .map(|(_, samples)| samples.clone())
            .unwrap_or_default()
    }

    /// The values of a series of a target that has no labels but `job` and `instance`, without those that tell of it.
    pub(super) fn values(&self, name: &str) -> Vec<f64> {
        let kept = self.0.lock().unwrap();
        let found = kept.series.iter().find(|(l, _)| l.name() == name);
        let samples = found.map(|(_, samples)| samples.as_slice());
        samples.unwrap_or_default().iter().map(|s| s.v).collect()
    }

    /// The last value of a series.
    pub(super) fn last(&self, name: &str) -> Option<f64> {
        self.values(name).last().copied()
    }

    pub(super) fn names(&self) -> Vec<String> {
        let kept = self.0.lock().unwrap();
        let mut names: Vec<String> = kept
            .series
            .iter()
            .map(|(l, _)| l.name().to_owned())
            .collect();
        names.sort();
        names
    }

    /// From now on nothing can be written.
    pub(super) fn fill(&self, full: bool) {
        self.0.lock().unwrap().full = full;
    }
}

impl SampleSink for Memory {
    fn appender(&self) -> Box<dyn Appender + '_> {
        Box::new(Batch {
            memory: self,
            samples: vec![],
        })
    }
}

struct Batch<'a> {
    memory: &'a Memory,
    samples: Vec<(u64, Sample)>,
}

impl Appender for Batch<'_> {
    fn append(
        &mut self,
        known: Option<SeriesRef>,
        labels: &Labels,
        t: i64,
        v: f64,
    ) -> Result<SeriesRef, AppendError> {
        let mut kept = self.memory.0.lock().unwrap();
        if labels.name() == "refused" {
            return Err(AppendError::Limit("too many series".to_owned()));
        }
        let number = match known {
            Some(SeriesRef(number)) => number,
            None => match kept.numbers.get(labels) {
                Some(number) => *number,
                None => {
                    let number = kept.series.len() as u64;
                    kept.series.push((labels.clone(), vec![]));
                    kept.numbers.insert(labels.clone(), number);
                    number
                }
            },
        };
        let (own, samples) = &kept.series[usize::try_from(number).unwrap()];
        assert_eq!(own, labels, "a reference to another series");
        let batch = self.samples.iter().filter(|(n, _)| *n == number);
        let newest = batch
            .map(|(_, s)| s.t)
            .chain(samples.last().map(|s| s.t))
            .max();
        match newest {
            Some(newest) if newest > t => return Err(AppendError::OutOfOrder),
            Some(newest) if newest == t => return Err(AppendError::Duplicate),
            _ => {}
        }
        self.samples.push((number, Sample { t, v }));
        Ok(SeriesRef(number))
    }

    fn commit(self: Box<Self>) -> Result<(), AppendError> {
        let mut kept = self.memory.0.lock().unwrap();
        if kept.full {
            return Err(AppendError::Storage("the disk is full".to_owned()));
        }
        for (number, sample) in self.samples {
            kept.series[usize::try_from(number).unwrap()].1.push(sample);
        }
        Ok(())
    }
}
