//! Reads a segment record by record. What is damaged is left out and said: one fragment where the next one is found behind it,
//! else everything up to the next page.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::Range;
use std::path::Path;

use super::{FIRST, HEAD, LAST, PAGE, SNAPPY, WHOLE};

/// The most that the fragments of one record may come to, or what snappy says that it decompresses to: writers make records of a few
/// megabytes.
const RECORD_BYTES: usize = 256 << 20;

/// As many faults as are kept of one segment: one of noise would have one for each page.
const FAULTS: usize = 1000;

/// A place where a segment is damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The first byte that is not as it should be.
    pub(crate) offset: u64,
    /// What is wrong.
    pub(crate) what: &'static str,
    /// Nothing but the end of the file is missing: the writer was stopped while it wrote.
    pub(crate) torn: bool,
}

/// What stands at a place in a page.
enum Place {
    /// Nothing up to the end of the page.
    Empty,
    /// Part of a record, whose checksum is right.
    Fragment {
        kind: u8,
        snappy: bool,
        data: Range<usize>,
    },
    /// Something else.
    Bad {
        what: &'static str,
        torn: bool,
        /// Where the next fragment would begin.
        next: usize,
    },
}

/// Reads one segment.
pub(crate) struct Reader {
    file: BufReader<File>,
    page: Box<[u8]>,
    /// How much of the page is there.
    filled: usize,
    at: usize,
    /// Where the page begins.
    base: u64,
    record: Vec<u8>,
    plain: Vec<u8>,
    /// Where the last whole record ended.
    good: u64,
    faults: Vec<Fault>,
}

impl Reader {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: BufReader::with_capacity(PAGE * 8, File::open(path)?),
            page: vec![0; PAGE].into(),
            filled: 0,
            at: 0,
            base: 0,
            record: Vec::new(),
            plain: Vec::new(),
            good: 0,
            faults: Vec::new(),
        })
    }

    /// What was left out so far.
    pub(crate) fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Where the last whole record ended.
    pub(crate) fn good(&self) -> u64 {
        self.good
    }

    fn fault(&mut self, at: usize, what: &'static str, torn: bool) {
        if self.faults.len() < FAULTS {
            let offset = self.base + at as u64;
            self.faults.push(Fault { offset, what, torn });
        }
    }

    fn next_page(&mut self) -> io::Result<bool> {
        // A short page was the last one.
        if !self.filled.is_multiple_of(PAGE) {
            return Ok(false);
        }
        self.base += self.filled as u64;
        self.filled = 0;
        self.at = 0;
        while self.filled < PAGE {
            match self.file.read(&mut self.page[self.filled..]) {
                Ok(0) => break,
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.filled > 0)
    }

    fn place(&self, at: usize) -> Place {
        let rest = &self.page[at..self.filled];
        let torn = self.filled < PAGE;
        let bad = |what, torn| Place::Bad {
            what,
            torn,
            next: self.filled,
        };
        let Some(first) = rest.first() else {
            return Place::Empty;
        };
        if *first == 0 {
            return match rest.iter().all(|b| *b == 0) {
                true => Place::Empty,
                false => bad("there is something in the empty rest of a page", false),
            };
        }
        let Some(head) = rest.first_chunk::<HEAD>() else {
            return bad("the head of a record is cut off", torn);
        };
        let (kind, snappy) = (head[0] & 7, head[0] & SNAPPY != 0);
        if !(WHOLE..=LAST).contains(&kind) || head[0] & !(7 | SNAPPY) != 0 {
            return bad("a record of an unknown kind", false);
        }
        let length = usize::from(u16::from_be_bytes([head[1], head[2]]));
        let crc = u32::from_be_bytes([head[3], head[4], head[5], head[6]]);
        let Some(data) = rest[HEAD..].get(..length) else {
            return bad("a record is cut off", torn);
        };
        let next = at + HEAD + length;
        if crc32c::crc32c(data) != crc {
            return Place::Bad {
                what: "a record's checksum is wrong",
                torn: false,
                next,
            };
        }
        Place::Fragment {
            kind,
            snappy,
            data: at + HEAD..next,
        }
    }

    /// The next record that is whole; nothing at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<&[u8]>> {
        self.record.clear();
        let mut inside = false;
        loop {
            if self.at >= self.filled && !self.next_page()? {
                if inside {
                    self.fault(self.at, "the segment ends within a record", true);
                }
                return Ok(None);
            }
            let at = self.at;
            let (kind, snappy, data) = match self.place(at) {
                Place::Empty => {
                    self.at = self.filled;
                    continue;
                }
                Place::Fragment { kind, snappy, data } => (kind, snappy, data),
                Place::Bad { what, torn, next } => {
                    self.fault(at, what, torn);
                    let found = !matches!(self.place(next), Place::Bad { .. });
                    self.at = if found { next } else { self.filled };
                    self.record.clear();
                    inside = false;
                    continue;
                }
            };
            self.at = data.end;
            let starts = matches!(kind, WHOLE | FIRST);
            if starts && inside {
                self.fault(at, "the record before has no end", false);
                self.record.clear();
            } else if !starts && !inside {
                self.fault(at, "a record has no beginning", false);
                continue;
            } else if self.record.len() + data.len() > RECORD_BYTES {
                self.fault(at, "a record is too long", false);
                self.record.clear();
                inside = false;
                continue;
            }
            self.record.extend_from_slice(&self.page[data]);
            inside = !matches!(kind, WHOLE | LAST);
            if inside {
                continue;
            }
            self.good = self.base + self.at as u64;
            if !snappy {
                return Ok(Some(&self.record));
            }
            if self.decompress() {
                return Ok(Some(&self.plain));
            }
            self.fault(at, "a record cannot be decompressed", false);
            self.record.clear();
        }
    }

    fn decompress(&mut self) -> bool {
        let Ok(length) = snap::raw::decompress_len(&self.record) else {
            return false;
        };
        if length > RECORD_BYTES {
            return false;
        }
        self.plain.resize(length, 0);
        snap::raw::Decoder::new()
            .decompress(&self.record, &mut self.plain)
            .is_ok()
    }
}
