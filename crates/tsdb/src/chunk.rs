//! XOR chunks, as Prometheus and Gorilla encode samples.
//!
//! ```text
//! samples <2b, big-endian>
//! t0 <varint>           v0 <8b>
//! t1 - t0 <uvarint>     v1 <xor>
//! delta of delta        vn <xor>
//! ```
//! Delta of delta: `0` none, `10` 14 bits, `110` 17 bits, `1110` 20 bits, `1111` 64 bits. Xor with the value before: `0` the same,
//! `10` bits within the window of the last one, `11` leading zeros (5 bits), length (6 bits; 64 is written as 0), bits.

use wharf_signal::Sample;

use crate::bytes::{Input, put_uvarint, put_varint};

/// The encoding byte of a chunk of floats.
pub(crate) const ENCODING_XOR: u8 = 1;

/// As many samples as Prometheus puts into one chunk: long enough to compress, short enough to decode for a few of them.
pub(crate) const CHUNK_SAMPLES: u16 = 120;

/// No window yet.
const NO_WINDOW: u8 = 0xff;

/// A chunk that is being written.
#[derive(Debug, Clone)]
pub(crate) struct Encoder {
    bytes: Vec<u8>,
    /// The last time, and its value.
    pub(crate) t: i64,
    pub(crate) v: f64,
    delta: u64,
    leading: u8,
    trailing: u8,
    /// Bits of the last byte that are not used.
    free: u8,
}

impl Encoder {
    pub(crate) fn new() -> Self {
        Self {
            bytes: Vec::new(),
            t: i64::MIN,
            v: 0.0,
            delta: 0,
            leading: NO_WINDOW,
            trailing: 0,
            free: 0,
        }
    }

    /// How many samples are in it.
    pub(crate) fn len(&self) -> u16 {
        chunk_len(&self.bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The chunk.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Forgets the samples, but not the last time and value.
    pub(crate) fn reset(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(64);
        self.delta = 0;
        self.leading = NO_WINDOW;
        self.trailing = 0;
        self.free = 0;
    }

    /// Gives its memory back.
    pub(crate) fn release(&mut self) {
        self.reset();
        self.bytes = Vec::new();
    }

    /// Adds a sample that is newer than the last one.
    pub(crate) fn push(&mut self, t: i64, v: f64) {
        // One sample takes 19 bytes at most. Growth by a half wastes less than doubling, over all series.
        if self.bytes.capacity() - self.bytes.len() < 20 {
            self.bytes
                .reserve_exact((self.bytes.capacity() / 2).max(32));
        }
        let count = self.len();
        match count {
            0 => {
                self.bytes.extend_from_slice(&[0, 0]);
                put_varint(&mut self.bytes, t);
                self.bytes.extend_from_slice(&v.to_bits().to_be_bytes());
                self.free = 0;
            }
            1 => {
                self.delta = t.wrapping_sub(self.t) as u64;
                put_uvarint(&mut self.bytes, self.delta);
                self.put_value(v);
            }
            _ => {
                let delta = t.wrapping_sub(self.t) as u64;
                let dod = delta.wrapping_sub(self.delta) as i64;
                self.delta = delta;
                let low = |bits: u32| dod as u64 & ((1 << bits) - 1);
                match dod {
                    0 => self.put(0, 1),
                    -8191..=8192 => self.put(0b10 << 14 | low(14), 16),
                    -65_535..=65_536 => self.put(0b110 << 17 | low(17), 20),
                    -524_287..=524_288 => self.put(0b1110 << 20 | low(20), 24),
                    _ => {
                        self.put(0b1111, 4);
                        self.put(dod as u64, 64);
                    }
                }
                self.put_value(v);
            }
        }
        self.t = t;
        self.v = v;
        let count = count + 1;
        self.bytes[..2].copy_from_slice(&count.to_be_bytes());
    }

    fn put_value(&mut self, v: f64) {
        let xor = v.to_bits() ^ self.v.to_bits();
        if xor == 0 {
            self.put(0, 1);
            return;
        }
        let leading = (xor.leading_zeros() as u8).min(31);
        let trailing = xor.trailing_zeros() as u8;
        if self.leading != NO_WINDOW && leading >= self.leading && trailing >= self.trailing {
            self.put(0b10, 2);
            let length = 64 - u32::from(self.leading) - u32::from(self.trailing);
            self.put(xor >> self.trailing, length);
            return;
        }
        self.leading = leading;
        self.trailing = trailing;
        let length = 64 - u32::from(leading) - u32::from(trailing);
        let head = 0b11 << 11 | u64::from(leading) << 6 | u64::from(length & 63);
        self.put(head, 13);
        self.put(xor >> trailing, length);
    }

    /// Writes the lowest `count` bits.
    fn put(&mut self, bits: u64, mut count: u32) {
        let free = u32::from(self.free);
        if free > 0 {
            let take = free.min(count);
            let part = (bits >> (count - take)) & ((1 << take) - 1);
            let last = self.bytes.len() - 1;
            self.bytes[last] |= (part << (free - take)) as u8;
            self.free -= take as u8;
            count -= take;
        }
        if count > 0 {
            let left = (bits << (64 - count)).to_be_bytes();
            let used = count.div_ceil(8);
            self.bytes.extend_from_slice(&left[..used as usize]);
            self.free = (used * 8 - count) as u8;
        }
    }
}

/// How many samples a chunk says that it has.
pub(crate) fn chunk_len(bytes: &[u8]) -> u16 {
    bytes
        .first_chunk()
        .map_or(0, |head| u16::from_be_bytes(*head))
}

/// The time of a chunk's first sample.
pub(crate) fn first_time(bytes: &[u8]) -> Option<i64> {
    Input(bytes.get(2..)?).varint()
}

/// A chunk is none: bytes are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Corrupt;

/// Reads a chunk's samples.
#[derive(Debug)]
pub(crate) struct Decoder<'a> {
    bytes: &'a [u8],
    /// In bits.
    at: usize,
    total: u16,
    read: u16,
    t: i64,
    v: u64,
    delta: u64,
    leading: u8,
    trailing: u8,
}

impl<'a> Decoder<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 16,
            total: chunk_len(bytes),
            read: 0,
            t: 0,
            v: 0,
            delta: 0,
            leading: 0,
            trailing: 0,
        }
    }

    /// Reads no more than the first `count` samples.
    pub(crate) fn limit(mut self, count: u16) -> Self {
        self.total = self.total.min(count);
        self
    }

    /// Up to 64 bits.
    fn bits(&mut self, count: u32) -> Result<u64, Corrupt> {
        if count == 0 {
            return Ok(0);
        }
        if count > 56 {
            let high = self.bits(count - 32)?;
            return Ok(high << 32 | self.bits(32)?);
        }
        let byte = self.at / 8;
        let word = match self.bytes.get(byte..).and_then(<[u8]>::first_chunk::<8>) {
            Some(word) => u64::from_be_bytes(*word),
            None => {
                let rest = self.bytes.get(byte..).ok_or(Corrupt)?;
                let mut word = [0; 8];
                word[..rest.len()].copy_from_slice(rest);
                u64::from_be_bytes(word)
            }
        };
        let shift = (self.at % 8) as u32;
        self.at += count as usize;
        if self.at > self.bytes.len() * 8 {
            return Err(Corrupt);
        }
        Ok((word << shift) >> (64 - count))
    }

    fn uvarint(&mut self) -> Result<u64, Corrupt> {
        let mut value = 0_u64;
        for index in 0..10 {
            let byte = self.bits(8)?;
            value |= (byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Corrupt)
    }

    fn delta_of_delta(&mut self) -> Result<i64, Corrupt> {
        let mut ones = 0;
        while ones < 4 && self.bits(1)? == 1 {
            ones += 1;
        }
        let count = match ones {
            0 => return Ok(0),
            1 => 14,
            2 => 17,
            3 => 20,
            _ => return Ok(self.bits(64)? as i64),
        };
        let bits = self.bits(count)? as i64;
        let negative = bits > 1 << (count - 1);
        Ok(if negative { bits - (1 << count) } else { bits })
    }

    fn value(&mut self) -> Result<(), Corrupt> {
        if self.bits(1)? == 0 {
            return Ok(());
        }
        if self.bits(1)? == 1 {
            self.leading = self.bits(5)? as u8;
            let length = match self.bits(6)? as u8 {
                0 => 64,
                length => length,
            };
            self.trailing = 64_u8.checked_sub(self.leading + length).ok_or(Corrupt)?;
        }
        let length = 64 - u32::from(self.leading) - u32::from(self.trailing);
        self.v ^= self.bits(length)? << self.trailing;
        Ok(())
    }

    fn step(&mut self) -> Result<Sample, Corrupt> {
        match self.read {
            0 => {
                let zigzag = self.uvarint()?;
                self.t = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
                self.v = self.bits(64)?;
            }
            1 => {
                self.delta = self.uvarint()?;
                self.t = self.t.wrapping_add(self.delta as i64);
                self.value()?;
            }
            _ => {
                let dod = self.delta_of_delta()?;
                self.delta = self.delta.wrapping_add(dod as u64);
                self.t = self.t.wrapping_add(self.delta as i64);
                self.value()?;
            }
        }
        self.read += 1;
        Ok(Sample {
            t: self.t,
            v: f64::from_bits(self.v),
        })
    }
}

impl Iterator for Decoder<'_> {
    type Item = Result<Sample, Corrupt>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.read >= self.total {
            return None;
        }
        let step = self.step();
        if step.is_err() {
            self.total = 0;
        }
        Some(step)
    }
}

/// A finished chunk, or what will be one: first and last time, inclusive, and the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) min: i64,
    pub(crate) max: i64,
    pub(crate) bytes: Vec<u8>,
}

/// Ordered samples as chunks.
pub(crate) fn encode(samples: &[Sample]) -> Vec<Chunk> {
    let parts = samples.chunks(usize::from(CHUNK_SAMPLES));
    let chunk = |part: &[Sample]| {
        let mut encoder = Encoder::new();
        for sample in part {
            encoder.push(sample.t, sample.v);
        }
        Chunk {
            min: part[0].t,
            max: encoder.t,
            bytes: encoder.bytes,
        }
    };
    parts.map(chunk).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(samples: &[Sample]) {
        for chunk in encode(samples) {
            let decoded: Result<Vec<_>, _> = Decoder::new(&chunk.bytes).collect();
            let decoded = decoded.unwrap();
            assert_eq!(decoded[0].t, chunk.min);
            assert_eq!(first_time(&chunk.bytes), Some(chunk.min));
            let at = samples.iter().position(|s| s.t == chunk.min).unwrap();
            assert_eq!(decoded, samples[at..at + decoded.len()]);
        }
    }

    proptest! {
        #[test]
        fn samples_come_back(
            start in any::<i64>(),
            steps in prop::collection::vec((prop_oneof![Just(15_000_u64), 1..20_u64, 1..3_000_000_u64, 1..1_u64 << 40], prop_oneof![any::<f64>(), Just(1.0), (0..100_u32).prop_map(f64::from)]), 1..300),
        ) {
            let mut t = start;
            let mut samples = Vec::new();
            for (step, v) in steps {
                samples.push(Sample { t, v });
                match t.checked_add_unsigned(step) {
                    Some(next) => t = next,
                    None => break,
                }
            }
            check(&samples);
        }

        #[test]
        fn no_bytes_are_fatal(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Decoder::new(&bytes).count();
        }
    }
}
