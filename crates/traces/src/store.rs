//! The store: takes spans, makes blocks of them, and lets the old ones go.
//!
//! # Layout
//! `<dir>/lock`, `<dir>/wal/<number>.wal` (see [`crate::wal`]), `<dir>/blocks/<first>-<last>.spans` (see [`crate::block`]). A block that cannot be
//! read is renamed to `….broken` when the store is opened.
//!
//! # Promises
//! What was pushed is in the kernel's hands when `push` returns: it survives the end of the process. It is on the disk after the next
//! `maintain`. A push that fails changes nothing.

mod maintain;
mod open;

use std::fs::File;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use wharf_signal::{Span, SpanId, TraceId};

use crate::block::{Block, BlockError, Cut, Numbers, Writer};
use crate::codec::put_span;
use crate::head::{Head, Sealed};
use crate::merge::{Source, merge};
use crate::options::Options;
use crate::wal::{self, BODY_MAX_BYTES, Cursors, Wal};

pub use maintain::Maintained;
pub use open::{OpenError, Recovery};

/// How many sources' positions are kept; more are forgotten by nobody, so the push is refused.
const CURSORS_MAX: usize = 10_000;

/// A store of spans. A clone is the same store.
#[derive(Debug, Clone)]
pub struct TraceStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    options: Options,
    /// Held for as long as the store is open.
    _lock: File,
    state: RwLock<State>,
    /// Held while blocks are written, merged or removed.
    cutting: Mutex<()>,
    trouble: Mutex<Trouble>,
    /// The time of the last `maintain`, in milliseconds; zero: none yet.
    clock: AtomicU64,
    steady: Mutex<maintain::Steady>,
}

#[derive(Debug)]
struct State {
    head: Head,
    sealed: Option<Arc<Sealed>>,
    /// By their numbers, the oldest first.
    blocks: Vec<Arc<Block>>,
    /// None: it could not be begun; the next push tries again.
    wal: Option<Wal>,
    /// The last one that was begun.
    wal_number: u64,
    next_block: u64,
    cursors: Cursors,
}

#[derive(Debug, Default)]
struct Trouble {
    /// Why nothing can be written.
    failing: Option<String>,
    damaged: u64,
    last_damage: Option<String>,
}

/// What became of a push.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pushed {
    /// Spans that were taken.
    pub accepted: usize,
    /// Spans that were refused.
    pub rejected: usize,
    /// Why the first of them was.
    pub reason: Option<String>,
}

/// Why nothing of a push was taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// It cannot be written: the disk is full, or broken.
    #[error("spans cannot be stored: {0}; free space on the disk of the state folder")]
    Storage(String),
    /// It is too large to be taken at once.
    #[error("{0}")]
    TooLarge(String),
}

/// How a store is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// Why nothing can be written, since the last time that something could.
    pub failing: Option<String>,
    /// Pages and filters that were found damaged since it was opened.
    pub damaged: u64,
    /// What was found last.
    pub last_damage: Option<String>,
    /// Spans in memory.
    pub head_spans: u64,
    /// Spans in blocks.
    pub block_spans: u64,
    /// Blocks.
    pub blocks: usize,
    /// What the store takes on disk.
    pub bytes: u64,
    /// The earliest start that is kept, in nanoseconds since the Unix epoch.
    pub oldest_nanos: Option<i64>,
}

/// What queries read: it does not change under them.
pub(crate) struct Snapshot {
    pub(crate) blocks: Vec<Arc<Block>>,
    /// The older first.
    pub(crate) heads: Vec<Head>,
}

impl TraceStore {
    /// Takes spans, and where the sources that they come from stand (a name and a position; an empty position forgets the name): both or
    /// neither survive a crash.
    ///
    /// # Errors
    /// Nothing of it was taken, and why; it may be pushed again.
    pub fn push(&self, spans: &[Span], cursors: &[(String, String)]) -> Result<Pushed, PushError> {
        let mut pushed = Pushed::default();
        let moved = || cursors.iter().map(|(s, c)| (s.as_str(), c.as_str()));
        let mut from = 0;
        let body = wal::body(moved(), |out| {
            from = out.len();
            for span in spans {
                let at = out.len();
                put_span(out, span);
                let refused = self.refusal(span, out.len() - at);
                if let Some(reason) = refused {
                    out.truncate(at);
                    pushed.rejected += 1;
                    pushed.reason.get_or_insert(reason);
                } else {
                    pushed.accepted += 1;
                }
                if out.len() > BODY_MAX_BYTES {
                    break;
                }
            }
        });
        if body.len() > BODY_MAX_BYTES {
            return Err(PushError::TooLarge(format!(
                "more than {} MiB of spans were sent at once; send smaller batches",
                BODY_MAX_BYTES >> 20
            )));
        }
        if pushed.accepted == 0 && cursors.is_empty() {
            return Ok(pushed);
        }
        // A head that is full while the one before it is still being written waits for that.
        if self.is_crowded() {
            self.cut().map_err(|error| self.failed(&error))?;
        }
        let cut = {
            let mut state = self.write();
            if state.cursors.len() + cursors.len() > CURSORS_MAX {
                return Err(PushError::TooLarge(format!(
                    "positions of more than {CURSORS_MAX} sources"
                )));
            }
            state
                .append(&self.wal_dir(), &body)
                .map_err(|error| self.failed(&error.to_string()))?;
            wal::move_cursors(&mut state.cursors, moved());
            if pushed.accepted > 0 {
                state.head.add(body[from..].into());
            }
            state.head.bytes >= self.inner.options.head_bytes && self.seal(&mut state)
        };
        // Taken it is; a block that cannot be written is the next push's trouble.
        match if cut { self.cut() } else { Ok(()) } {
            Ok(()) => self.works(),
            Err(error) => drop(self.failed(&error)),
        }
        Ok(pushed)
    }

    /// Where the sources stand, by their name.
    #[must_use]
    pub fn cursors(&self) -> Cursors {
        self.read().cursors.clone()
    }

    /// How it is.
    #[must_use]
    pub fn health(&self) -> Health {
        let state = self.read();
        let trouble = self.trouble();
        let sealed = state.sealed.as_ref().map(|sealed| &sealed.head);
        let heads = || sealed.into_iter().chain([&state.head]);
        let starts = heads()
            .map(|head| head.stats.min_start)
            .chain(state.blocks.iter().map(|block| block.stats.min_start));
        Health {
            failing: trouble.failing.clone(),
            damaged: trouble.damaged,
            last_damage: trouble.last_damage.clone(),
            head_spans: heads().map(|head| head.spans).sum(),
            block_spans: state.blocks.iter().map(|block| block.spans).sum(),
            blocks: state.blocks.len(),
            bytes: state.blocks.iter().map(|block| block.bytes).sum::<u64>()
                + state.wal.as_ref().map_or(0, Wal::length),
            oldest_nanos: starts.min().filter(|start| *start != i64::MAX),
        }
    }

    fn refusal(&self, span: &Span, bytes: usize) -> Option<String> {
        if span.trace == TraceId::default() || span.id == SpanId::default() {
            return Some("a span has no trace id or no id of its own".to_owned());
        }
        let most = self.inner.options.max_span_bytes;
        (bytes > most).then(|| format!("span {} has {bytes} bytes; {most} are allowed", span.id))
    }

    fn is_crowded(&self) -> bool {
        let state = self.read();
        state.sealed.is_some() && state.head.bytes >= self.inner.options.head_bytes
    }

    /// Makes the head ready to be cut, if the one before it was. False: not now.
    fn seal(&self, state: &mut State) -> bool {
        if state.sealed.is_some() || state.head.batches.is_empty() {
            return state.sealed.is_some();
        }
        let number = state.wal_number + 1;
        match Wal::create(&self.wal_dir(), number, &state.cursors) {
            Ok(wal) => {
                let wal_through = state.wal_number;
                state.wal = Some(wal);
                state.wal_number = number;
                state.sealed = Some(Arc::new(Sealed {
                    head: std::mem::take(&mut state.head),
                    wal_through,
                }));
                true
            }
            Err(error) => {
                drop(self.failed(&error.to_string()));
                false
            }
        }
    }

    /// Makes a block of what is sealed.
    fn cut(&self) -> Result<(), String> {
        let _cutting = self.cutting();
        let (sealed, number) = {
            let state = self.read();
            match &state.sealed {
                Some(sealed) => (Arc::clone(sealed), state.next_block),
                None => return Ok(()),
            }
        };
        let cut = Cut {
            numbers: Numbers {
                first: number,
                last: number,
            },
            level: 0,
            created: self.inner.clock.load(Ordering::Relaxed),
            wal_through: sealed.wal_through,
        };
        let block = self.write_block(cut, vec![Source::memory(sealed.head.frames())])?;
        {
            let mut state = self.write();
            state.blocks.push(Arc::new(block));
            state.next_block = number + 1;
            state.sealed = None;
        }
        let old = wal::files(&self.wal_dir()).map_err(|error| error.to_string())?;
        for (number, path) in old {
            if number <= sealed.wal_through {
                std::fs::remove_file(path).map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }

    fn write_block(&self, cut: Cut, sources: Vec<Source<'_>>) -> Result<Block, String> {
        let io = |error: std::io::Error| error.to_string();
        let mut writer = Writer::create(&self.block_dir(), cut).map_err(io)?;
        let added = merge(
            sources,
            &mut |error| self.damaged(&error),
            &mut |span| match writer.add(span) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(error),
            },
        );
        if let ControlFlow::Break(error) = added {
            return Err(io(error));
        }
        let path = writer.finish().map_err(io)?;
        Block::open(&path).map_err(|error| describe(&error))
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let state = self.read();
        let sealed = state.sealed.as_ref().map(|sealed| sealed.head.clone());
        Snapshot {
            blocks: state.blocks.clone(),
            heads: sealed.into_iter().chain([state.head.clone()]).collect(),
        }
    }

    pub(crate) fn options(&self) -> &Options {
        &self.inner.options
    }

    /// Notes that something was found damaged.
    pub(crate) fn damaged(&self, error: &BlockError) {
        let mut trouble = self.trouble();
        trouble.damaged += 1;
        trouble.last_damage = Some(describe(error));
    }

    fn failed(&self, error: &str) -> PushError {
        self.trouble().failing = Some(error.to_owned());
        PushError::Storage(error.to_owned())
    }

    fn works(&self) {
        self.trouble().failing = None;
    }

    fn wal_dir(&self) -> PathBuf {
        self.inner.dir.join("wal")
    }

    fn block_dir(&self) -> PathBuf {
        self.inner.dir.join("blocks")
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        let state = self.inner.state.read();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        let state = self.inner.state.write();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    fn cutting(&self) -> MutexGuard<'_, ()> {
        let cutting = self.inner.cutting.lock();
        cutting.unwrap_or_else(PoisonError::into_inner)
    }

    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        let trouble = self.inner.trouble.lock();
        trouble.unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn append(&mut self, dir: &std::path::Path, body: &[u8]) -> std::io::Result<()> {
        if self.wal.is_none() {
            self.wal = Some(Wal::create(dir, self.wal_number + 1, &self.cursors)?);
            self.wal_number += 1;
        }
        match &mut self.wal {
            Some(wal) => wal.append(body),
            None => Ok(()),
        }
    }
}

/// An error with its causes, in one sentence.
pub(crate) fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
