//! Cuts what a pipe yields into lines.

use super::format::{Kind, TEXT_MAX_BYTES};
use super::writer::Writer;

/// The lines of one stream of a process. Memory: the unfinished line, at most 64 KiB.
pub(crate) struct Lines {
    kind: Kind,
    unfinished: Vec<u8>,
}

impl Lines {
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            unfinished: Vec::new(),
        }
    }

    /// Takes what was read at `nanos` and writes the lines that it completes.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], nanos: u64, writer: &mut Writer) {
        while let Some(end) = bytes.iter().position(|b| *b == b'\n') {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            if self.unfinished.is_empty() && line.len() <= TEXT_MAX_BYTES {
                self.emit(line, nanos, writer);
            } else {
                self.extend(line, nanos, writer);
                let whole = std::mem::take(&mut self.unfinished);
                self.emit(&whole, nanos, writer);
            }
            bytes = rest;
        }
        self.extend(bytes, nanos, writer);
    }

    /// Writes the last line, which has no line feed.
    pub(crate) fn finish(&mut self, nanos: u64, writer: &mut Writer) {
        if !self.unfinished.is_empty() {
            let whole = std::mem::take(&mut self.unfinished);
            self.emit(&whole, nanos, writer);
        }
    }

    fn extend(&mut self, mut bytes: &[u8], nanos: u64, writer: &mut Writer) {
        while self.unfinished.len() + bytes.len() > TEXT_MAX_BYTES {
            let (now, later) = bytes.split_at(TEXT_MAX_BYTES - self.unfinished.len());
            self.unfinished.extend_from_slice(now);
            writer.push(self.kind, true, &self.unfinished, nanos);
            self.unfinished.clear();
            bytes = later;
        }
        self.unfinished.extend_from_slice(bytes);
    }

    fn emit(&self, line: &[u8], nanos: u64, writer: &mut Writer) {
        writer.push(
            self.kind,
            false,
            line.strip_suffix(b"\r").unwrap_or(line),
            nanos,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LogTarget;
    use crate::log::{Merge, Start, series_in};

    #[track_caller]
    fn check(reads: &[&[u8]], expected: &[(&str, bool)]) {
        let dir = tempfile::tempdir().unwrap();
        let target = LogTarget {
            dir: dir.path().to_owned(),
            name: "a".into(),
            max_bytes: 1 << 20,
            max_files: 2,
        };
        let mut writer = Writer::open(target).unwrap();
        let mut lines = Lines::new(Kind::Stdout);
        for read in reads {
            lines.feed(read, 1, &mut writer);
        }
        lines.finish(2, &mut writer);
        writer.flush();
        let got: Vec<(String, bool)> = Merge::new(series_in(dir.path()).unwrap(), Start::default())
            .map(|record| (record.text, record.continued))
            .collect();
        let expected: Vec<(String, bool)> = expected
            .iter()
            .map(|(text, continued)| ((*text).into(), *continued))
            .collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn lines_are_cut_at_line_feeds_only() {
        check(&[b"a\nb\r\nc"], &[("a", false), ("b", false), ("c", false)]);
        check(
            &[b"a", b"b\n", b"\n", b"c\nd"],
            &[("ab", false), ("", false), ("c", false), ("d", false)],
        );
        check(&[b"\xff\xfe\n"], &[("\u{fffd}\u{fffd}", false)]);
        check(&[], &[]);
    }

    #[test]
    fn long_lines_are_cut_and_marked() {
        let long = "x".repeat(TEXT_MAX_BYTES);
        check(&[long.as_bytes(), b"\n"], &[(&long, false)]);
        check(&[long.as_bytes(), b"yz\n"], &[(&long, true), ("yz", false)]);
        check(
            &[b"ab", long.as_bytes(), b"\nq\n"],
            &[
                (&format!("ab{}", &long[2..]), true),
                ("xx", false),
                ("q", false),
            ],
        );
        check(
            &[format!("{long}y\n").as_bytes()],
            &[(&long, true), ("y", false)],
        );
    }
}
