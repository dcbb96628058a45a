//! What stands in the log.
//!
//! ```text
//! series      1 <1b>, then each: id <8b>, labels <uvarint>, name and value of each <uvarint length, bytes>
//! samples     2 <1b>, first id <8b>, first time <8b>, then each: id - first <varint>, time - first <varint>, value <8b>
//! tombstones  3 <1b>, then each: id <8b>, from <varint>, to <varint>
//! ```
//! Records of other kinds (exemplars, metadata, histograms) that a Prometheus wrote are passed over.

use wharf_signal::Labels;

use crate::bytes::{Input, put_text, put_uvarint, put_varint};

const SERIES: u8 = 1;
const SAMPLES: u8 = 2;
const TOMBSTONES: u8 = 3;
/// The highest kind that is known to exist.
const LAST_KNOWN: u8 = 13;

/// Begins a record of series.
pub(crate) fn series_record(out: &mut Vec<u8>) {
    out.push(SERIES);
}

/// Adds a series to its record.
pub(crate) fn put_series<'a>(
    out: &mut Vec<u8>,
    id: u64,
    count: usize,
    labels: impl Iterator<Item = (&'a str, &'a str)>,
) {
    out.extend_from_slice(&id.to_be_bytes());
    put_uvarint(out, count as u64);
    for (name, value) in labels {
        put_text(out, name);
        put_text(out, value);
    }
}

/// Begins a record of samples.
pub(crate) fn samples_record(out: &mut Vec<u8>, first_id: u64, first_t: i64) {
    out.push(SAMPLES);
    out.extend_from_slice(&first_id.to_be_bytes());
    out.extend_from_slice(&first_t.to_be_bytes());
}

/// Adds a sample to its record, whose first one is given as well.
pub(crate) fn put_sample(out: &mut Vec<u8>, first: (u64, i64), id: u64, t: i64, v: f64) {
    put_varint(out, id.wrapping_sub(first.0) as i64);
    put_varint(out, t.wrapping_sub(first.1));
    out.extend_from_slice(&v.to_bits().to_be_bytes());
}

/// A record of deleted ranges.
pub(crate) fn tombstones(stones: &[(u64, i64, i64)]) -> Vec<u8> {
    let mut out = vec![TOMBSTONES];
    for (id, from, to) in stones {
        out.extend_from_slice(&id.to_be_bytes());
        put_varint(&mut out, *from);
        put_varint(&mut out, *to);
    }
    out
}

/// A record, read.
#[derive(Debug)]
pub(crate) enum Record {
    /// Ids and label sets.
    Series(Vec<(u64, Labels)>),
    /// Ids, times and values.
    Samples(Vec<(u64, i64, f64)>),
    /// Ids and ranges, inclusive.
    Tombstones(Vec<(u64, i64, i64)>),
    /// Of a kind that is not kept here.
    Other,
}

impl Record {
    /// Reads a record; nothing if it is none. `samples` is used again for what it holds.
    pub(crate) fn read(bytes: &[u8], mut samples: Vec<(u64, i64, f64)>) -> Option<Self> {
        let mut input = Input(bytes);
        match input.u8()? {
            SERIES => {
                let mut series = Vec::new();
                while !input.is_empty() {
                    series.push((input.u64()?, labels(&mut input)?));
                }
                Some(Self::Series(series))
            }
            SAMPLES => {
                samples.clear();
                if input.is_empty() {
                    return Some(Self::Samples(samples));
                }
                let (id, t) = (input.u64()?, input.u64()? as i64);
                samples.reserve(input.len() / 10);
                while !input.is_empty() {
                    let id = id.wrapping_add(input.varint()? as u64);
                    let t = t.wrapping_add(input.varint()?);
                    samples.push((id, t, f64::from_bits(input.u64()?)));
                }
                Some(Self::Samples(samples))
            }
            TOMBSTONES => {
                let mut stones = Vec::new();
                while !input.is_empty() {
                    stones.push((input.u64()?, input.varint()?, input.varint()?));
                }
                Some(Self::Tombstones(stones))
            }
            4..=LAST_KNOWN => Some(Self::Other),
            _ => None,
        }
    }
}

fn labels(input: &mut Input<'_>) -> Option<Labels> {
    let count = usize::try_from(input.uvarint()?).ok()?;
    // Two lengths at least, each.
    if count > input.len() / 2 {
        return None;
    }
    let mut pairs = Vec::with_capacity(count);
    for _ in 0..count {
        pairs.push((input.text()?, input.text()?));
    }
    let ordered =
        pairs.windows(2).all(|w| w[0].0 < w[1].0) && pairs.iter().all(|p| !p.1.is_empty());
    Some(match ordered {
        true => Labels::from_sorted(pairs),
        false => Labels::from_pairs(pairs),
    })
}
