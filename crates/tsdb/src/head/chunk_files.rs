//! The head's full chunks, out of memory: `chunks_head/000001` and so on, as Prometheus writes them.
//!
//! ```text
//! 0x0130BC91 <4b>   version 1 <1b>   zero <3b>
//! each: series <8b>, first time <8b>, last time <8b>, encoding <1b>, length <uvarint>, data, CRC-32C of all that <4b>
//! ```
//! The series is its number in the log. What is here is in the log as well: a file that is damaged is cut off there, and the samples
//! come from the log.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::bytes::{Input, put_uvarint};
use crate::chunk::ENCODING_XOR;

const MAGIC: u32 = 0x0130_BC91;
const VERSION: u8 = 1;
const HEADER: u64 = 8;
/// Prometheus's size of a file.
const FILE_BYTES: u64 = 128 << 20;
/// As much is kept before it is written.
const BUFFER: usize = 256 << 10;
/// The most that a chunk may say it is.
const CHUNK_BYTES: u64 = 1 << 20;

/// Where a chunk is, and what it is of, in 20 bytes: there are several for each series.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sealed {
    min_high: u32,
    min_low: u32,
    span: u32,
    file: u32,
    offset: u32,
}

impl Sealed {
    fn new(min: i64, max: i64, file: u32, offset: u32) -> Option<Self> {
        let bits = min as u64;
        Some(Self {
            min_high: (bits >> 32) as u32,
            min_low: bits as u32,
            span: u32::try_from(max.checked_sub(min)?).ok()?,
            file,
            offset,
        })
    }

    pub(crate) fn min(self) -> i64 {
        (u64::from(self.min_high) << 32 | u64::from(self.min_low)) as i64
    }

    pub(crate) fn max(self) -> i64 {
        self.min().saturating_add(i64::from(self.span))
    }
}

/// A chunk on its way out of the files: what is not written yet is copied.
#[derive(Debug)]
pub(crate) enum Found {
    Memory(Vec<u8>),
    File(Arc<File>, u64),
}

#[derive(Debug)]
struct Info {
    /// None: it could not be created yet.
    file: Option<Arc<File>>,
    max: i64,
}

/// The files, and what is on its way into the last one.
#[derive(Debug)]
pub(crate) struct ChunkFiles {
    dir: PathBuf,
    files: BTreeMap<u32, Info>,
    current: u32,
    /// How much of the current one is written.
    written: u64,
    buffer: Vec<u8>,
    /// Why the last try to write failed.
    pub(crate) failed: Option<String>,
}

/// Chunks by the number of their series, in the order in which they were written; and what was damaged: file, offset.
pub(crate) type Loaded = (HashMap<u64, Vec<Sealed>>, Vec<(PathBuf, u64)>);

impl ChunkFiles {
    /// Reads all files, and cuts off what is damaged with everything behind it.
    pub(crate) fn open(dir: &Path) -> io::Result<(Self, Loaded)> {
        fs::create_dir_all(dir)?;
        let mut numbers = Vec::new();
        for entry in fs::read_dir(dir)? {
            numbers.extend(entry?.file_name().to_string_lossy().parse::<u32>().ok());
        }
        numbers.sort_unstable();
        let mut this = Self {
            dir: dir.to_owned(),
            files: BTreeMap::new(),
            current: numbers.last().map_or(0, |last| last + 1).max(1),
            written: 0,
            buffer: Vec::new(),
            failed: None,
        };
        let (mut chunks, mut damage) = (HashMap::new(), Vec::new());
        for number in numbers {
            let path = this.path(number);
            if !damage.is_empty() {
                fs::remove_file(&path)?;
                continue;
            }
            let file = OpenOptions::new().read(true).write(true).open(&path)?;
            let (good, max) = load(&file, number, &mut chunks)?;
            if file.metadata()?.len() != good {
                if !rest_is_zero(&file, good)? {
                    damage.push((path.clone(), good));
                }
                file.set_len(good)?;
            }
            if good < HEADER {
                fs::remove_file(&path)?;
                continue;
            }
            let file = Some(Arc::new(file));
            this.files.insert(number, Info { file, max });
        }
        Ok((this, (chunks, damage)))
    }

    fn path(&self, number: u32) -> PathBuf {
        self.dir.join(format!("{number:06}"))
    }

    /// Takes a chunk. It stays in memory until there is enough for a write, and where that fails.
    pub(crate) fn add(&mut self, series: u64, min: i64, max: i64, bytes: &[u8]) -> Option<Sealed> {
        if self.written + self.buffer.len() as u64 + bytes.len() as u64 + 64 > FILE_BYTES {
            self.cut();
        }
        if self.written == 0 && self.buffer.is_empty() {
            self.buffer.extend_from_slice(&MAGIC.to_be_bytes());
            self.buffer.extend_from_slice(&[VERSION, 0, 0, 0]);
        }
        let info = self.files.entry(self.current).or_insert(Info {
            file: None,
            max: i64::MIN,
        });
        info.max = info.max.max(max);
        let start = self.buffer.len();
        let offset = u32::try_from(self.written + start as u64).ok()?;
        let sealed = Sealed::new(min, max, self.current, offset)?;
        self.buffer.extend_from_slice(&series.to_be_bytes());
        self.buffer.extend_from_slice(&min.to_be_bytes());
        self.buffer.extend_from_slice(&max.to_be_bytes());
        self.buffer.push(ENCODING_XOR);
        put_uvarint(&mut self.buffer, bytes.len() as u64);
        self.buffer.extend_from_slice(bytes);
        let crc = crc32c::crc32c(&self.buffer[start..]);
        self.buffer.extend_from_slice(&crc.to_be_bytes());
        if self.buffer.len() >= BUFFER {
            self.flush();
        }
        Some(sealed)
    }

    /// Writes what is kept.
    pub(crate) fn flush(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        match self.try_flush() {
            Ok(()) => {
                self.written += self.buffer.len() as u64;
                self.buffer.clear();
                self.buffer.shrink_to(2 * BUFFER);
                self.failed = None;
            }
            Err(error) => self.failed = Some(error.to_string()),
        }
    }

    fn try_flush(&mut self) -> io::Result<()> {
        let path = self.path(self.current);
        let Some(info) = self.files.get_mut(&self.current) else {
            return Ok(());
        };
        let file = match &info.file {
            Some(file) => file,
            None => {
                let mut options = OpenOptions::new();
                let options = options.read(true).write(true).create(true).truncate(true);
                info.file.insert(Arc::new(options.open(path)?))
            }
        };
        file.write_all_at(&self.buffer, self.written)
    }

    /// Begins another file, unless the current one cannot be written.
    pub(crate) fn cut(&mut self) {
        self.flush();
        if self.buffer.is_empty() && self.written > 0 {
            self.current += 1;
            self.written = 0;
        }
    }

    /// Where a chunk's bytes are to be had.
    pub(crate) fn find(&self, sealed: Sealed) -> Option<Found> {
        if sealed.file == self.current && u64::from(sealed.offset) >= self.written {
            let at = u64::from(sealed.offset) - self.written;
            let rest = self.buffer.get(usize::try_from(at).ok()?..)?;
            return parse(rest).map(|(chunk, _)| Found::Memory(chunk.bytes.to_vec()));
        }
        let file = self.files.get(&sealed.file)?.file.clone()?;
        Some(Found::File(file, u64::from(sealed.offset)))
    }

    /// Removes files with nothing at or after `t`.
    pub(crate) fn forget_before(&mut self, t: i64) -> io::Result<()> {
        let current = self.current;
        let old =
            |(number, info): (&u32, &Info)| (*number != current && info.max < t).then_some(*number);
        for number in self.files.iter().filter_map(old).collect::<Vec<_>>() {
            fs::remove_file(self.path(number))?;
            self.files.remove(&number);
        }
        Ok(())
    }

    /// Removes everything.
    pub(crate) fn clear(&mut self) -> io::Result<()> {
        self.buffer.clear();
        if self.written > 0 {
            self.current += 1;
            self.written = 0;
        }
        while let Some((number, info)) = self.files.pop_first() {
            if info.file.is_some() {
                fs::remove_file(self.path(number))?;
            }
        }
        Ok(())
    }
}

impl Drop for ChunkFiles {
    fn drop(&mut self) {
        self.flush();
    }
}

fn rest_is_zero(file: &File, from: u64) -> io::Result<bool> {
    let mut at = from;
    let mut bytes = [0; 4096];
    loop {
        match file.read_at(&mut bytes, at)? {
            0 => return Ok(true),
            count if bytes[..count].iter().any(|b| *b != 0) => return Ok(false),
            count => at += count as u64,
        }
    }
}

impl Found {
    /// The chunk's bytes, if they are what was written.
    pub(crate) fn read(self) -> io::Result<Vec<u8>> {
        let (file, offset) = match self {
            Self::Memory(bytes) => return Ok(bytes),
            Self::File(file, offset) => (file, offset),
        };
        let damaged =
            || io::Error::new(io::ErrorKind::InvalidData, "a chunk of the head is damaged");
        let mut bytes = vec![0; 512];
        loop {
            let mut filled = 0;
            while filled < bytes.len() {
                match file.read_at(&mut bytes[filled..], offset + filled as u64)? {
                    0 => break,
                    count => filled += count,
                }
            }
            if let Some((chunk, _)) = parse(&bytes[..filled]) {
                return Ok(chunk.bytes.to_vec());
            }
            let mut input = Input(bytes.get(25..filled).ok_or_else(damaged)?);
            let length = input.uvarint().filter(|l| *l <= CHUNK_BYTES);
            let wanted = 64 + length.ok_or_else(damaged)? as usize;
            if wanted <= bytes.len() {
                return Err(damaged());
            }
            bytes.resize(wanted, 0);
        }
    }
}

struct Parsed<'a> {
    series: u64,
    min: i64,
    max: i64,
    encoding: u8,
    bytes: &'a [u8],
}

/// The chunk that bytes begin with, and how many it takes.
fn parse(bytes: &[u8]) -> Option<(Parsed<'_>, usize)> {
    let mut input = Input(bytes);
    let parsed = Parsed {
        series: input.u64()?,
        min: input.u64()? as i64,
        max: input.u64()? as i64,
        encoding: input.u8()?,
        bytes: {
            let length = input.uvarint().filter(|l| *l <= CHUNK_BYTES)?;
            input.take(length as usize)?
        },
    };
    let length = bytes.len() - input.len();
    (input.u32()? == crc32c::crc32c(&bytes[..length])).then_some((parsed, length + 4))
}

/// Reads a file; gives how much of it is good, and its last time.
fn load(
    file: &File,
    number: u32,
    chunks: &mut HashMap<u64, Vec<Sealed>>,
) -> io::Result<(u64, i64)> {
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut head = [0; HEADER as usize];
    let mut max = i64::MIN;
    if reader.read_exact(&mut head).is_err()
        || head[..4] != MAGIC.to_be_bytes()
        || head[4] != VERSION
    {
        return Ok((0, max));
    }
    let mut good = HEADER;
    let mut bytes: Vec<u8> = Vec::new();
    let mut at = 0;
    loop {
        if let Some((chunk, length)) = parse(&bytes[at..]) {
            let sealed = u32::try_from(good).ok().and_then(|offset| {
                let sane = chunk.min <= chunk.max && chunk.encoding == ENCODING_XOR;
                Sealed::new(chunk.min, chunk.max, number, offset).filter(|_| sane)
            });
            // Of another encoding, or empty space: there is nothing of ours behind it.
            let Some(sealed) = sealed.filter(|_| chunk.series != 0) else {
                return Ok((good, max));
            };
            max = max.max(chunk.max);
            chunks.entry(chunk.series).or_default().push(sealed);
            good += length as u64;
            at += length;
            continue;
        }
        bytes.drain(..at);
        at = 0;
        // A chunk that does not fit into this is damaged.
        if bytes.len() as u64 > 2 * CHUNK_BYTES {
            return Ok((good, max));
        }
        let before = bytes.len();
        (&mut reader).take(1 << 20).read_to_end(&mut bytes)?;
        if bytes.len() == before {
            return Ok((good, max));
        }
    }
}
