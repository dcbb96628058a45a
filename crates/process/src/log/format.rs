//! One record as bytes and back; the format is specified in [`crate::log`].

use std::io::Write;
use std::sync::Arc;

use wharf_base::clock::Timestamp;

use super::series::Series;

/// The first line of every file.
pub(crate) const HEADER: &[u8] = b"wharf-log 1\n";
/// The longest text of one record. Bounds the memory of a process that never ends its line.
pub(crate) const TEXT_MAX_BYTES: usize = 64 * 1024;
/// The longest record: its text, and a time, a kind and the separators.
pub(crate) const RECORD_MAX_BYTES: usize = TEXT_MAX_BYTES + 64;

/// Who wrote a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The process, on standard output.
    Stdout,
    /// The process, on standard error.
    Stderr,
    /// The supervisor: what it noticed about the process or its log.
    Note,
}

impl Kind {
    /// The word for people and JSON: `stdout`, `stderr`, `note`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Note => "note",
        }
    }

    fn letter(self) -> u8 {
        match self {
            Self::Stdout => b'o',
            Self::Stderr => b'e',
            Self::Note => b'n',
        }
    }
}

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// When the shim read it, in nanoseconds since the Unix epoch.
    pub nanos: u64,
    /// Who wrote it.
    pub kind: Kind,
    /// Whether the line goes on in the next record of this kind.
    pub continued: bool,
    /// The line; bytes that are no UTF-8 are replaced.
    pub text: String,
    /// Where it stands; the series' name is the process's.
    pub series: Arc<Series>,
}

impl Record {
    /// When the shim read it.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        Timestamp(self.nanos / 1_000_000)
    }

    /// The process that wrote it, by its log name.
    #[must_use]
    pub fn replica(&self) -> &str {
        &self.series.name
    }
}

/// A record as it stands in a file, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RawRecord<'a> {
    pub(crate) nanos: u64,
    pub(crate) kind: Kind,
    pub(crate) continued: bool,
    pub(crate) text: &'a [u8],
}

/// Reads one line, without its line feed. None: no record.
pub(crate) fn parse(line: &[u8]) -> Option<RawRecord<'_>> {
    let space = line.iter().take(21).position(|b| *b == b' ')?;
    let digits = std::str::from_utf8(&line[..space]).ok()?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nanos = digits.parse().ok()?;
    let rest = &line[space + 1..];
    let kind = match rest.first()? {
        b'o' => Kind::Stdout,
        b'e' => Kind::Stderr,
        b'n' => Kind::Note,
        _ => return None,
    };
    let (continued, rest) = match &rest[1..] {
        [b'+', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let text = rest.strip_prefix(b" ")?;
    Some(RawRecord {
        nanos,
        kind,
        continued,
        text,
    })
}

/// Appends one line. `text` holds no line feed.
pub(crate) fn write(into: &mut Vec<u8>, record: RawRecord<'_>) {
    // Writing to a vector does not fail.
    drop(write!(into, "{} ", record.nanos));
    into.push(record.kind.letter());
    if record.continued {
        into.push(b'+');
    }
    into.push(b' ');
    into.extend_from_slice(record.text);
    into.push(b'\n');
}

/// The system's time in nanoseconds since the Unix epoch; finer than [`wharf_base::clock`], so that the lines of replicas interleave.
#[must_use]
pub fn now_nanos() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<(u64, Kind, bool, &str)>) {
        let got = parse(line.as_bytes());
        let expected = expected.map(|(nanos, kind, continued, text)| RawRecord {
            nanos,
            kind,
            continued,
            text: text.as_bytes(),
        });
        assert_eq!(got, expected, "{line:?}");
        if let Some(record) = got {
            let mut bytes = Vec::new();
            write(&mut bytes, record);
            assert_eq!(bytes, format!("{line}\n").as_bytes());
        }
    }

    #[test]
    fn records_read_back() {
        check(
            "1700000000000000000 o hello",
            Some((1_700_000_000_000_000_000, Kind::Stdout, false, "hello")),
        );
        check("1 e+ half a ", Some((1, Kind::Stderr, true, "half a ")));
        check("1 n ", Some((1, Kind::Note, false, "")));
        check(
            "1 o  two  spaces",
            Some((1, Kind::Stdout, false, " two  spaces")),
        );
    }

    #[test]
    fn what_is_no_record_is_none() {
        for line in [
            "",
            " ",
            "1",
            "1 ",
            "1 o",
            "1 x y",
            "x o y",
            "+1 o y",
            "-1 o y",
            "1  o y",
            "99999999999999999999999 o y",
            "wharf-log 1",
        ] {
            check(line, None);
        }
    }
}
