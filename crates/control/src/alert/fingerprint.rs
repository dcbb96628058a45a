//! Short names of label sets.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use wharf_signal::Labels;

/// The name of a label set: FNV-1a of its pairs, as Alertmanager computes and writes it (16 hexadecimal digits).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Fingerprint(pub u64);

const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// Takes further bytes into a hash.
pub(super) fn fnv1a(seed: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(seed, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(PRIME)
    })
}

/// The hash of texts, each ended by a byte that occurs in none.
pub(super) fn hash<'a>(texts: impl IntoIterator<Item = &'a str>) -> u64 {
    texts.into_iter().fold(OFFSET_BASIS, |hash, text| {
        fnv1a(fnv1a(hash, text.as_bytes()), &[0xff])
    })
}

impl Fingerprint {
    /// The name of `labels`.
    #[must_use]
    pub fn of(labels: &Labels) -> Self {
        Self(hash(labels.iter().flat_map(|(name, value)| [name, value])))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

impl FromStr for Fingerprint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        digits
            .then(|| u64::from_str_radix(text, 16).ok())
            .flatten()
            .map(Self)
            .ok_or_else(|| format!("expected 16 hexadecimal digits, found `{text}`"))
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_alertmanager() {
        // The hash of nothing is the offset basis; see prometheus/common, model/signature.go.
        let empty = Fingerprint::of(&Labels::empty());
        assert_eq!(empty.to_string(), "cbf29ce484222325");
        let one = Fingerprint::of(&Labels::from_pairs([("name", "garland, briggs")]));
        assert_eq!(one.to_string().parse(), Ok(one));
        assert!("12".parse::<Fingerprint>().is_err());
        assert!("+000000000000001".parse::<Fingerprint>().is_err());
    }
}
