//! Taking a batch: what is refused, one record for what is not, and then the memory.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use wharf_signal::{Labels, LogEntry};

use crate::admit;
use crate::batch::{Batch, Origin, PushError, Pushed, Refusal, Refused};
use crate::codec::{put_bytes, put_labels, put_number, put_signed};
use crate::options::{Options, nanos};
use crate::store::State;
use crate::wal::{self, MOST_RECORD, Named, Wal};

/// An entry that is taken.
struct Taken<'a> {
    nanos: i64,
    line: Cow<'a, str>,
    set: Vec<u8>,
}

struct Stream<'a> {
    labels: &'a Labels,
    entries: Vec<Taken<'a>>,
}

/// A larger buffer for records is given back.
const KEPT_RECORD: usize = 64 << 10;

/// Takes a batch.
///
/// # Errors
/// Nothing of it was taken.
pub(crate) fn push(
    state: &mut State,
    batch: &Batch,
    options: &Options,
) -> Result<Pushed, PushError> {
    check_cursors(state, batch, options.limits.cursors)?;
    let mut pushed = Pushed::default();
    let streams = admitted(state, batch, options, &mut pushed);
    if streams.is_empty() && batch.cursors.is_empty() && batch.gone.is_empty() {
        return Ok(pushed);
    }
    let segment = state.wal.ready(&state.cursors);
    let segment = segment.map_err(|e| storage(&state.wal, &e))?;
    let mut record = std::mem::take(&mut state.record);
    let named = encode(state, &streams, batch, segment, &mut record);
    let written = if record.len() > MOST_RECORD {
        Err(PushError::TooLarge {
            bytes: record.len(),
            limit: MOST_RECORD,
        })
    } else {
        let written = state.wal.append(&mut record);
        written.map_err(|e| storage(&state.wal, &e))
    };
    record.clear();
    record.shrink_to(KEPT_RECORD);
    state.record = record;
    written?;
    keep(state, &streams, batch)?;
    for (labels, number) in named {
        state.wal.named = state.wal.named.max(number.saturating_add(1));
        if let Some(live) = state.head.live.get_mut(labels) {
            live.named = Some(Named { segment, number });
        }
    }
    Ok(pushed)
}

fn storage(wal: &Wal, error: &std::io::Error) -> PushError {
    PushError::Storage {
        path: wal.path().display().to_string(),
        reason: error.to_string(),
    }
}

fn check_cursors(state: &State, batch: &Batch, limit: usize) -> Result<(), PushError> {
    let known = state.cursors.len();
    if known + batch.cursors.len() <= limit {
        return Ok(());
    }
    let sources = batch.cursors.iter().map(|(source, _)| source);
    let new: HashSet<_> = sources
        .filter(|s| !state.cursors.contains_key(*s))
        .collect();
    if known + new.len() > limit {
        return Err(PushError::Cursors(limit));
    }
    Ok(())
}

fn admitted<'a>(
    state: &State,
    batch: &'a Batch,
    options: &Options,
    pushed: &mut Pushed,
) -> Vec<Stream<'a>> {
    let mut streams = Vec::new();
    let mut new = HashSet::new();
    let mut newest = HashMap::new();
    for (labels, entries) in &batch.streams {
        let known = state.head.live.contains_key(labels) || new.contains(labels);
        let limit = options.limits.streams;
        let refusal = match admit::labels(labels, &options.limits) {
            Err(why) if !known => Some(why),
            _ if !known && state.head.live.len() + new.len() >= limit => {
                Some(Refusal::Streams(limit))
            }
            _ => None,
        };
        if let Some(why) = refusal {
            pushed.refused.push(Refused {
                labels: labels.clone(),
                entries: entries.len(),
                why,
            });
            continue;
        }
        let newest = newest.entry(labels).or_insert_with(|| {
            let live = state.head.live.get(labels);
            live.map_or(i64::MIN, |live| live.newest)
        });
        let entries = taken(
            state,
            labels,
            entries,
            batch.origin,
            options,
            newest,
            pushed,
        );
        if !entries.is_empty() {
            if !known {
                new.insert(labels);
            }
            streams.push(Stream { labels, entries });
        }
    }
    streams
}

/// What is taken of a stream's entries. `newest` is the greatest time of the stream before them, and becomes that after them.
fn taken<'a>(
    state: &State,
    labels: &Labels,
    entries: &'a [LogEntry],
    origin: Origin,
    options: &Options,
    newest: &mut i64,
    pushed: &mut Pushed,
) -> Vec<Taken<'a>> {
    let remote = origin == Origin::Remote;
    let growing = state.head.live.get(labels).map(|live| &live.growing);
    let mut all = Vec::with_capacity(entries.len());
    let mut seen = HashSet::new();
    let mut late: Option<Refused> = None;
    for entry in entries {
        let oldest = newest.saturating_sub(nanos(options.late));
        if remote && entry.nanos < oldest {
            let refused = late.get_or_insert_with(|| Refused {
                labels: labels.clone(),
                entries: 0,
                why: Refusal::TooFarBehind {
                    nanos: entry.nanos,
                    oldest,
                },
            });
            refused.entries += 1;
            continue;
        }
        let line = admit::line(&entry.line, &options.limits);
        // As far back as lines are not compressed yet.
        if remote
            && (!seen.insert((entry.nanos, line.clone()))
                || growing.is_some_and(|rows| rows.has(entry.nanos, &line)))
        {
            pushed.duplicates += 1;
            continue;
        }
        *newest = (*newest).max(entry.nanos);
        let mut set = Vec::new();
        let less = admit::metadata(&entry.metadata, &options.limits, &mut set);
        pushed.metadata_cut += usize::from(less);
        pushed.cut += usize::from(matches!(line, Cow::Owned(_)));
        pushed.entries += 1;
        pushed.bytes += line.len();
        all.push(Taken {
            nanos: entry.nanos,
            line,
            set,
        });
    }
    pushed.refused.extend(late);
    all
}

/// Writes a record, and returns the streams that it names with their numbers.
fn encode<'a>(
    state: &State,
    streams: &[Stream<'a>],
    batch: &Batch,
    segment: u64,
    out: &mut Vec<u8>,
) -> HashMap<&'a Labels, u32> {
    let entries = streams.iter().flat_map(|s| &s.entries);
    let bytes: usize = entries.map(|e| e.line.len() + e.set.len() + 16).sum();
    wal::begin_record(out);
    out.reserve(bytes + 256);
    put_number(out, streams.len() as u64);
    let mut named = HashMap::new();
    let mut next = state.wal.named;
    for stream in streams {
        let live = state.head.live.get(stream.labels);
        let known = live.and_then(|live| live.named);
        let known = known.filter(|n| n.segment == segment).map(|n| n.number);
        match known.or_else(|| named.get(stream.labels).copied()) {
            Some(number) => {
                put_number(out, u64::from(number));
                out.push(0);
            }
            None => {
                put_number(out, u64::from(next));
                out.push(1);
                put_labels(out, stream.labels);
                named.insert(stream.labels, next);
                next = next.saturating_add(1);
            }
        }
        put_number(out, stream.entries.len() as u64);
        let mut before = 0i64;
        for entry in &stream.entries {
            put_signed(out, entry.nanos.wrapping_sub(before));
            before = entry.nanos;
            put_bytes(out, entry.line.as_bytes());
            put_bytes(out, &entry.set);
        }
    }
    let cursors = batch.cursors.iter().map(|(s, c)| (s.as_str(), *c));
    wal::put_cursors(out, cursors, &batch.gone);
    named
}

/// Keeps in memory what the log has by now.
fn keep(state: &mut State, streams: &[Stream<'_>], batch: &Batch) -> Result<(), PushError> {
    for stream in streams {
        for entry in &stream.entries {
            let added = state
                .head
                .add(stream.labels, entry.nanos, &entry.line, &entry.set);
            added.map_err(|e| PushError::Full(e.to_string()))?;
        }
    }
    for (source, cursor) in &batch.cursors {
        state.cursors.insert(source.clone(), *cursor);
    }
    for source in &batch.gone {
        state.cursors.remove(source);
    }
    Ok(())
}
