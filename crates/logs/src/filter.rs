//! Which texts a block cannot hold, told without decompressing it.
//!
//! A filter is a table of bits, one for each hash of four bytes that follow each other in a line or in a value of metadata.
//! A text of which one such group is missing is in no line of the block. Words would make a smaller table, but could not
//! answer for `abc-12` inside `xabc-123`; and a longer group would need far more bits, for random ids have few groups of four
//! (hexadecimal ones 65,536) and ever new ones of eight. That the table is more than half full does not matter: a trace id
//! has 29 groups, and 0.7 to the power of 29 is nothing.
//!
//! The table has a power of two bytes, 8 to 8,192. The group `abcd` sets the bit `h mod size` where `h` is the upper half of
//! `big-endian(abcd) * 0x9E3779B1`, so that a table folded in half is the table of half the size. An empty filter says nothing.

use crate::block::pairs;
use crate::rows::Rows;

/// 16 bits of a hash address it; a block of 256 KiB of JSON fills about two thirds.
const WORDS: usize = (1 << 16) / 64;

/// As full as a table may be after it was folded: one of these saves space and still tells apart needles of eight bytes.
const FULL: u32 = 45;

const GROUP: usize = 4;

fn hash(group: u32) -> u32 {
    group.wrapping_mul(0x9E37_79B1) >> 16
}

fn groups(text: &[u8]) -> impl Iterator<Item = u32> + '_ {
    text.windows(GROUP).map(|w| {
        w.iter()
            .fold(0, |group, byte| group << 8 | u32::from(*byte))
    })
}

/// The filter of these entries.
pub(crate) fn build(rows: &Rows) -> Vec<u8> {
    let mut table = vec![0u64; WORDS];
    for row in &rows.rows {
        add(&mut table, rows.line(*row).as_bytes());
    }
    let mut last = 0;
    for row in &rows.rows {
        if row.set != last {
            last = row.set;
            for (_, value) in pairs(rows.set(*row)) {
                add(&mut table, value);
            }
        }
    }
    fold(&mut table);
    table.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn add(table: &mut [u64], text: &[u8]) {
    let Some((head, rest)) = text.split_at_checked(GROUP - 1) else {
        return;
    };
    let mut group = head.iter().fold(0u32, |g, byte| g << 8 | u32::from(*byte));
    for byte in rest {
        group = group << 8 | u32::from(*byte);
        let bit = hash(group) as usize;
        // The table has as many bits as the hash has values.
        if let Some(word) = table.get_mut(bit / 64) {
            *word |= 1 << (bit % 64);
        }
    }
}

fn fold(table: &mut Vec<u64>) {
    while table.len() > 1 {
        let (low, high) = table.split_at(table.len() / 2);
        let ones: u32 = low
            .iter()
            .zip(high)
            .map(|(a, b)| (a | b).count_ones())
            .sum();
        if ones > low.len() as u32 * 64 * FULL / 100 {
            return;
        }
        let half = low.len();
        for i in 0..half {
            table[i] |= table[half + i];
        }
        table.truncate(half);
    }
}

/// Whether a block with this filter may hold `text`.
pub(crate) fn may_hold(filter: &[u8], text: &str) -> bool {
    if filter.is_empty() || !filter.len().is_power_of_two() {
        return true;
    }
    let mask = filter.len() * 8 - 1;
    groups(text.as_bytes()).all(|group| {
        let bit = hash(group) as usize & mask;
        filter
            .get(bit / 8)
            .is_some_and(|byte| byte >> (bit % 8) & 1 == 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filter(lines: &[String]) -> Vec<u8> {
        let mut rows = Rows::default();
        for line in lines {
            rows.push(0, line, &[]).expect("room");
        }
        build(&rows)
    }

    proptest! {
        #[test]
        fn every_part_of_a_line_may_be_held(lines in prop::collection::vec("[a-f0-9é\"]{0,80}", 1..40), at: prop::sample::Index, length in 1usize..30) {
            let filter = filter(&lines);
            for line in &lines {
                let chars: Vec<char> = line.chars().collect();
                let first = if chars.is_empty() { 0 } else { at.index(chars.len()) };
                let part: String = chars.iter().skip(first).take(length).collect();
                prop_assert!(may_hold(&filter, &part), "{part} of {line}");
            }
        }
    }

    #[test]
    fn what_is_not_there_is_left_out() {
        let mut rng = fastrand::Rng::with_seed(5);
        let mut id = || format!("{:032x}", rng.u128(..));
        let lines: Vec<_> = (0..1300)
            .map(|i| format!(r#"{{"trace_id":"{}","n":{i}}}"#, id()))
            .collect();
        let filter = filter(&lines);
        assert!(filter.len() <= 8192, "{}", filter.len());
        let held = (0..1000).filter(|_| may_hold(&filter, &id())).count();
        assert!(held < 3, "{held} of 1000 ids that are not there");
        let few = filter_of("GET /");
        assert!(few.len() <= 16 && !may_hold(&few, "POST") && may_hold(&few, "GET"));
        assert!(may_hold(&[], "anything"));
    }

    fn filter_of(line: &str) -> Vec<u8> {
        filter(&[line.to_owned()])
    }
}
