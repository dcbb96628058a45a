//! Which traces a block may hold, answered by one read of 32 bytes.
//!
//! # Format
//! Buckets of 32 bytes: 28 bytes of bits, then the CRC-32C of those (`u32`, little-endian). A trace id is hashed to a bucket and six of its
//! 224 bits. With ten bits a trace about one in a hundred answers is a false "perhaps"; never is one a false "no": a bucket whose
//! checksum is wrong says "perhaps" to everything.

use wharf_signal::TraceId;

/// One read.
pub(crate) const BUCKET_BYTES: usize = 32;
const BITS_BYTES: usize = BUCKET_BYTES - 4;
/// Ten bits for each of them.
const TRACES_PER_BUCKET: usize = BITS_BYTES * 8 / 10;
const PROBES: u32 = 6;

/// The hash that buckets and bits are taken from.
pub(crate) fn hash(trace: TraceId) -> u64 {
    // The finalizer of splitmix64 over both halves: ids may be counters.
    let mut x = (trace.0 >> 64) as u64 ^ (trace.0 as u64).rotate_left(32);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The filter of traces with these hashes.
pub(crate) fn build(hashes: &[u64]) -> Vec<u8> {
    let buckets = hashes.len() / TRACES_PER_BUCKET + 1;
    let mut filter = vec![0; buckets * BUCKET_BYTES];
    for hash in hashes {
        let at = bucket(*hash, filter.len());
        for (byte, bit) in probes(*hash) {
            filter[at + byte] |= bit;
        }
    }
    for bucket in filter.chunks_exact_mut(BUCKET_BYTES) {
        let (bits, sum) = bucket.split_at_mut(BITS_BYTES);
        sum.copy_from_slice(&crc32c::crc32c(bits).to_le_bytes());
    }
    filter
}

/// Where in a filter of this length the bucket of a hash begins.
pub(crate) fn bucket(hash: u64, length: usize) -> usize {
    let buckets = (length / BUCKET_BYTES).max(1) as u64;
    // The high half chooses the bucket, the low one the bits.
    usize::try_from(((hash >> 32) * buckets) >> 32).unwrap_or_default() * BUCKET_BYTES
}

/// What a bucket says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    No,
    Perhaps,
    /// It is damaged: perhaps.
    Damaged,
}

/// Asks a bucket for a hash.
pub(crate) fn ask(bucket: &[u8; BUCKET_BYTES], hash: u64) -> Answer {
    let (bits, sum) = bucket.split_at(BITS_BYTES);
    if crc32c::crc32c(bits).to_le_bytes() != sum {
        return Answer::Damaged;
    }
    if probes(hash).all(|(byte, bit)| bits[byte] & bit != 0) {
        Answer::Perhaps
    } else {
        Answer::No
    }
}

fn probes(hash: u64) -> impl Iterator<Item = (usize, u8)> {
    let low = hash as u32;
    let step = (low >> 16) | 1;
    (0..PROBES).map(move |i| {
        let bit = (low.wrapping_add(step.wrapping_mul(i)) % (BITS_BYTES as u32 * 8)) as usize;
        (bit / 8, 1 << (bit % 8))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(filter: &[u8], id: u128) -> Answer {
        let hash = hash(TraceId(id));
        let at = bucket(hash, filter.len());
        ask(filter[at..].first_chunk().expect("a bucket"), hash)
    }

    #[test]
    fn knows_what_it_holds_and_little_else() {
        let ids: Vec<u128> = (1..5_000).map(|i| i * 7).collect();
        let hashes: Vec<u64> = ids.iter().map(|id| hash(TraceId(*id))).collect();
        let filter = build(&hashes);
        assert!(ids.iter().all(|id| says(&filter, *id) == Answer::Perhaps));
        let wrong = (1_000_000..1_010_000)
            .filter(|id| says(&filter, *id) == Answer::Perhaps)
            .count();
        assert!(wrong < 400, "{wrong} of 10000");
    }

    #[test]
    fn a_damaged_bucket_denies_nothing() {
        let mut filter = build(&[hash(TraceId(1))]);
        filter[3] ^= 0x10;
        assert_eq!(says(&filter, 1), Answer::Damaged);
    }
}
