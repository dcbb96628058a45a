//! Replaces old segments of the log by what is still needed of them: series that are alive, and what is not in blocks.

use std::fs;
use std::io;
use std::path::Path;

use crate::wal::{self, Reader, Record, Wal, checkpoints, segment_path, segments};

/// Replaces segments before `next`, but for the newest third of them: most of what is in those would be written again.
/// `alive` are numbers of series in the log, ascending; samples before `before` are in blocks.
pub(crate) fn checkpoint(
    dir: &Path,
    next: u32,
    before: i64,
    alive: &[u64],
    segment_bytes: u64,
) -> io::Result<()> {
    let wal_dir = dir.join("wal");
    let old: Vec<_> = segments(&wal_dir)?
        .into_iter()
        .filter(|i| *i < next)
        .collect();
    let (Some(first), Some(last)) = (old.first(), old.last()) else {
        return Ok(());
    };
    let last = first + (last - first) * 2 / 3;
    if last == *first {
        return Ok(());
    }
    let tmp = wal_dir.join(format!("checkpoint.{last:08}.tmp"));
    if tmp.exists() {
        fs::remove_dir_all(&tmp)?;
    }
    fs::create_dir_all(&tmp)?;
    let earlier = checkpoints(&wal_dir)?;
    {
        let mut out = Wal::create(&tmp, 0, segment_bytes)?;
        let mut paths = Vec::new();
        if let Some((_, folder)) = earlier.last() {
            paths.extend(
                segments(folder)?
                    .into_iter()
                    .map(|i| segment_path(folder, i)),
            );
        }
        let covered = old.iter().filter(|index| **index <= last);
        paths.extend(covered.map(|index| segment_path(&wal_dir, *index)));
        let is_alive = |wal_id: u64| alive.binary_search(&wal_id).is_ok();
        let mut bytes = Vec::new();
        let mut buffer = Vec::new();
        for path in paths {
            let mut reader = Reader::open(&path)?;
            while let Some(record) = reader.next()? {
                bytes.clear();
                match Record::read(record, std::mem::take(&mut buffer)) {
                    Some(Record::Series(series)) => {
                        for (wal_id, labels) in series {
                            if !is_alive(wal_id) {
                                continue;
                            }
                            if bytes.is_empty() {
                                wal::series_record(&mut bytes);
                            }
                            wal::put_series(&mut bytes, wal_id, labels.len(), labels.iter());
                        }
                    }
                    Some(Record::Samples(samples)) => {
                        let mut first = None;
                        for (wal_id, t, v) in &samples {
                            if *t < before || !is_alive(*wal_id) {
                                continue;
                            }
                            let first = *first.get_or_insert_with(|| {
                                wal::samples_record(&mut bytes, *wal_id, *t);
                                (*wal_id, *t)
                            });
                            wal::put_sample(&mut bytes, first, *wal_id, *t, *v);
                        }
                        buffer = samples;
                    }
                    Some(Record::Tombstones(mut stones)) => {
                        stones.retain(|(wal_id, _, to)| *to >= before && is_alive(*wal_id));
                        if !stones.is_empty() {
                            bytes = wal::tombstones(&stones);
                        }
                    }
                    Some(Record::Other) | None => {}
                }
                if !bytes.is_empty() {
                    out.write(&[&bytes])?;
                }
            }
        }
        out.sync()?;
    }
    crate::files::sync_dir(&tmp)?;
    fs::rename(&tmp, wal_dir.join(format!("checkpoint.{last:08}")))?;
    crate::files::sync_dir(&wal_dir)?;
    for (_, folder) in earlier {
        crate::files::remove_dir(&folder)?;
    }
    for index in old {
        if index <= last {
            fs::remove_file(segment_path(&wal_dir, index))?;
        }
    }
    Ok(())
}
