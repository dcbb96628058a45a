//! `meta.json`: what a block is, as Prometheus writes it.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::files;

/// Which block, unique and in the order of creation: 48 bits of time and 80 of chance, in Crockford's base 32.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Ulid(pub(crate) String);

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl Ulid {
    pub(crate) fn new(now_ms: i64) -> Self {
        let time = (now_ms.max(0) as u128) & ((1 << 48) - 1);
        let bits = time << 80 | fastrand::u128(..1 << 80);
        let digit = |index: u32| ALPHABET[(bits >> (5 * index)) as usize & 31] as char;
        Self((0..26).rev().map(digit).collect())
    }

    /// When it was made, in milliseconds.
    pub(crate) fn time(&self) -> i64 {
        let digit = |b: &u8| ALPHABET.iter().position(|a| a == b).unwrap_or(0) as i64;
        self.0
            .as_bytes()
            .iter()
            .take(10)
            .fold(0, |time, b| time << 5 | digit(b))
    }

    /// Whether a folder's name is one.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let fits = name.len() == 26
            && name.bytes().all(|b| ALPHABET.contains(&b))
            && name.as_bytes()[0] <= b'7';
        fits.then(|| Self(name.to_owned()))
    }
}

/// A block.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Meta {
    pub(crate) ulid: Ulid,
    /// The first time, inclusive.
    #[serde(rename = "minTime")]
    pub(crate) min_time: i64,
    /// The last time, exclusive.
    #[serde(rename = "maxTime")]
    pub(crate) max_time: i64,
    #[serde(default)]
    pub(crate) stats: Stats,
    pub(crate) compaction: Compaction,
    /// Of the format: 1.
    pub(crate) version: u32,
}

/// How much is in a block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Stats {
    pub(crate) num_samples: u64,
    pub(crate) num_series: u64,
    pub(crate) num_chunks: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) num_tombstones: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Where a block comes from.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Compaction {
    pub(crate) level: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) sources: Vec<Ulid>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) parents: Vec<Parent>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) hints: Vec<String>,
}

/// A block that went into another.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Parent {
    pub(crate) ulid: Ulid,
    pub(crate) min_time: i64,
    pub(crate) max_time: i64,
}

impl Meta {
    /// Reads a block's description.
    pub(crate) fn read(dir: &Path) -> io::Result<Self> {
        let invalid = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
        let bytes = fs::read(dir.join("meta.json"))?;
        let meta: Self =
            serde_json::from_slice(&bytes).map_err(|e| invalid(format!("meta.json: {e}")))?;
        if meta.version != 1 {
            return Err(invalid(format!(
                "meta.json: version {} is not known",
                meta.version
            )));
        }
        if meta.max_time < meta.min_time {
            return Err(invalid("meta.json: maxTime is before minTime".to_owned()));
        }
        Ok(meta)
    }

    /// Writes it.
    pub(crate) fn write(&self, dir: &Path) -> io::Result<()> {
        let text = serde_json::to_string_pretty(self).map_err(io::Error::other)?;
        files::replace(&dir.join("meta.json"), text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ulids_are_in_the_order_of_time() {
        let ulid = Ulid::new(1_700_000_000_123);
        assert_eq!(ulid.time(), 1_700_000_000_123);
        assert_eq!(Ulid::parse(&ulid.0), Some(ulid.clone()));
        assert!(ulid < Ulid::new(1_700_000_000_124));
        assert_eq!(Ulid::parse("wal"), None);
    }
}
