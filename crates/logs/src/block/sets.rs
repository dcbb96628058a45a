//! The metadata of a block's entries.
//!
//! What is known of a line beside it was often read from the line itself: a trace id, a status. Such a value is kept as its place
//! there, which is nearly the same in every line and takes next to nothing.
//!
//! # Format
//!
//! ```text
//! number of sets, k; if it is zero, nothing follows
//! n numbers of a set, 0: none, 1: the first. Every set has an entry.
//! number of shapes, and for each: the number of its names, and these in their order
//! for each set: the number of its shape, 0: the first; and for each of its names, of the line of the first entry that has the set:
//!     the place of the value in it, plus one, and its length; or 0 and the value
//! ```

use std::collections::HashMap;

use memchr::memmem;

use crate::codec::{Damaged, Reader, put_bytes, put_number};
use crate::rows::{Row, Rows};

/// A shorter value costs no more than its place.
const LEAST: usize = 3;

pub(super) fn encode(rows: &Rows, out: &mut Vec<u8>) {
    let mut used: Vec<u32> = rows.rows.iter().map(|r| r.set).filter(|s| *s > 0).collect();
    used.sort_unstable();
    used.dedup();
    put_number(out, used.len() as u64);
    if used.is_empty() {
        return;
    }
    let mut first: Vec<Option<Row>> = vec![None; used.len()];
    for row in &rows.rows {
        let place = used.binary_search(&row.set).ok();
        if let Some(first) = place.and_then(|place| first.get_mut(place)) {
            first.get_or_insert(*row);
        }
        put_number(out, place.map_or(0, |place| place as u64 + 1));
    }
    let mut shapes: Vec<Vec<&[u8]>> = Vec::new();
    let mut numbers: HashMap<Vec<&[u8]>, usize> = HashMap::new();
    let mut values = Vec::new();
    let mut names = Vec::new();
    for row in first.iter().flatten() {
        let line = rows.line(*row).as_bytes();
        names.clear();
        let begin = values.len();
        for (name, value) in pairs(rows.set(*row)) {
            names.push(name);
            put_value(&mut values, line, value);
        }
        let shape = numbers.get(names.as_slice()).copied();
        let shape = shape.unwrap_or_else(|| {
            numbers.insert(names.clone(), shapes.len());
            shapes.push(names.clone());
            shapes.len() - 1
        });
        let mut number = Vec::with_capacity(2);
        put_number(&mut number, shape as u64);
        values.splice(begin..begin, number);
    }
    put_number(out, shapes.len() as u64);
    for names in &shapes {
        put_number(out, names.len() as u64);
        for name in names {
            put_bytes(out, name);
        }
    }
    out.extend_from_slice(&values);
}

fn put_value(out: &mut Vec<u8>, line: &[u8], value: &[u8]) {
    let place = (value.len() >= LEAST)
        .then(|| memmem::find(line, value))
        .flatten();
    match place {
        Some(place) => {
            put_number(out, place as u64 + 1);
            put_number(out, value.len() as u64);
        }
        None => {
            out.push(0);
            put_bytes(out, value);
        }
    }
}

/// Names and values of a packed label set.
pub(crate) fn pairs(packed: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut reader = Reader(packed);
    let count = reader.count(2).unwrap_or_default();
    (0..count).map_while(move |_| Some((reader.bytes().ok()?, reader.bytes().ok()?)))
}

/// Reads the sets of rows whose places in `lines` are known.
pub(super) fn decode(
    reader: &mut Reader<'_>,
    lines: &[u8],
    rows: &mut Rows,
) -> Result<(), Damaged> {
    let count = reader.count(1)?;
    if count == 0 {
        return Ok(());
    }
    let mut numbers = Vec::with_capacity(rows.len());
    let mut first: Vec<Option<Row>> = vec![None; count];
    for row in &rows.rows {
        let number = reader.number()? as usize;
        numbers.push(number);
        if let Some(place) = number.checked_sub(1) {
            let first = first.get_mut(place).ok_or(Damaged)?;
            first.get_or_insert(*row);
        }
    }
    let mut shapes = Vec::new();
    for _ in 0..reader.count(1)? {
        let names = (0..reader.count(1)?).map(|_| reader.bytes());
        shapes.push(names.collect::<Result<Vec<_>, _>>()?);
    }
    let mut starts = Vec::with_capacity(count);
    let mut sets = std::mem::take(&mut rows.sets);
    for row in first {
        let row = row.ok_or(Damaged)?;
        let line = lines.get(row.start as usize..).unwrap_or_default();
        let line = line.get(..row.length as usize).ok_or(Damaged)?;
        starts.push(u32::try_from(sets.len()).map_err(|_| Damaged)? + 1);
        let names = shapes.get(reader.small()? as usize).ok_or(Damaged)?;
        put_number(&mut sets, names.len() as u64);
        for name in names {
            let value = value(reader, line)?;
            put_bytes(&mut sets, name);
            put_bytes(&mut sets, value);
            if sets.len() > super::MOST_RAW {
                return Err(Damaged);
            }
        }
    }
    rows.sets = sets;
    for (row, number) in rows.rows.iter_mut().zip(numbers) {
        if let Some(place) = number.checked_sub(1) {
            row.set = *starts.get(place).ok_or(Damaged)?;
        }
    }
    Ok(())
}

fn value<'v, 'r: 'v>(reader: &mut Reader<'r>, line: &'v [u8]) -> Result<&'v [u8], Damaged> {
    match (reader.number()? as usize).checked_sub(1) {
        None => reader.bytes(),
        Some(place) => {
            let length = reader.number()? as usize;
            let end = place.checked_add(length).ok_or(Damaged)?;
            line.get(place..end).ok_or(Damaged)
        }
    }
}
