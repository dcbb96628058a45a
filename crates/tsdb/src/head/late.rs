//! Samples that came late: older than the newest of their series, or than what is already in blocks.

use wharf_signal::Sample;

use crate::chunk::{self, CHUNK_SAMPLES, Chunk, Decoder};

/// One series' late samples.
#[derive(Debug, Clone, Default)]
pub(crate) struct Late {
    /// In order, each time once.
    open: Vec<Sample>,
    /// Earlier ones; they may overlap.
    sealed: Vec<Chunk>,
}

impl Late {
    /// Takes a sample, unless it has one of that time at hand.
    pub(crate) fn insert(&mut self, t: i64, v: f64) -> bool {
        let Err(at) = self.open.binary_search_by_key(&t, |sample| sample.t) else {
            return false;
        };
        self.open.insert(at, Sample { t, v });
        if self.open.len() >= usize::from(CHUNK_SAMPLES) {
            self.sealed.append(&mut chunk::encode(&self.open));
            self.open.clear();
        }
        true
    }

    /// The samples of a range, inclusive, in order; of two of one time the first that came.
    pub(crate) fn read(&self, start: i64, end: i64) -> Vec<Sample> {
        let mut out = Vec::new();
        for chunk in &self.sealed {
            if chunk.min <= end && chunk.max >= start {
                let samples = Decoder::new(&chunk.bytes).flatten();
                let samples = samples.filter(|s| (start..=end).contains(&s.t));
                out = merge(out, samples.collect());
            }
        }
        let open = self.open.iter().copied();
        merge(out, open.filter(|s| (start..=end).contains(&s.t)).collect())
    }

    pub(crate) fn len(&self) -> usize {
        let sealed: usize = self
            .sealed
            .iter()
            .map(|c| usize::from(chunk::chunk_len(&c.bytes)))
            .sum();
        sealed + self.open.len()
    }

    /// The first and the last time.
    pub(crate) fn span(&self) -> Option<(i64, i64)> {
        let sealed = self.sealed.iter().map(|c| (c.min, c.max));
        let open = self.open.iter().map(|s| (s.t, s.t));
        sealed
            .chain(open)
            .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }
}

/// Two ordered rows as one; of two samples of one time the first row's.
pub(crate) fn merge(first: Vec<Sample>, second: Vec<Sample>) -> Vec<Sample> {
    match (first.last(), second.first()) {
        (None, _) => return second,
        (_, None) => return first,
        (Some(last), Some(next)) if last.t < next.t => {
            let mut out = first;
            out.extend(second);
            return out;
        }
        _ => {}
    }
    let mut out = Vec::with_capacity(first.len() + second.len());
    let (mut a, mut b) = (first.into_iter().peekable(), second.into_iter().peekable());
    loop {
        match (a.peek(), b.peek()) {
            (Some(x), Some(y)) if y.t < x.t => out.extend(b.next()),
            (Some(x), Some(y)) => {
                if x.t == y.t {
                    b.next();
                }
                out.extend(a.next());
            }
            (Some(_), None) => out.extend(a.next()),
            (None, Some(_)) => out.extend(b.next()),
            (None, None) => return out,
        }
    }
}
