//! Numbers, texts and label sets as bytes.
//!
//! Numbers are little-endian base 128 (seven bits a byte, the eighth says that another follows), signed ones zigzag. A text
//! is its length and its bytes. A label set is the number of its pairs, then each name and value in the order of the names.

use wharf_signal::Labels;

/// The bytes are not what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are damaged")]
pub(crate) struct Damaged;

pub(crate) fn put_number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_number(out, ((value << 1) ^ (value >> 63)) as u64);
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(crate) fn put_labels(out: &mut Vec<u8>, labels: &Labels) {
    put_number(out, labels.len() as u64);
    for (name, value) in labels {
        put_bytes(out, name.as_bytes());
        put_bytes(out, value.as_bytes());
    }
}

/// Takes what was put, in the same order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn byte(&mut self) -> Result<u8, Damaged> {
        let (first, rest) = self.0.split_first().ok_or(Damaged)?;
        self.0 = rest;
        Ok(*first)
    }

    pub(crate) fn number(&mut self) -> Result<u64, Damaged> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit.
            if shift == 63 && bits > 1 {
                return Err(Damaged);
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Damaged)
    }

    pub(crate) fn signed(&mut self) -> Result<i64, Damaged> {
        let value = self.number()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub(crate) fn small(&mut self) -> Result<u32, Damaged> {
        u32::try_from(self.number()?).map_err(|_| Damaged)
    }

    /// A number of things that take at least `each` bytes: never more than there is room for.
    pub(crate) fn count(&mut self, each: usize) -> Result<usize, Damaged> {
        let count = usize::try_from(self.number()?).map_err(|_| Damaged)?;
        if count.checked_mul(each.max(1)).ok_or(Damaged)? > self.0.len() {
            return Err(Damaged);
        }
        Ok(count)
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], Damaged> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Damaged> {
        let length = self.count(1)?;
        self.take(length)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Damaged> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Damaged)
    }

    pub(crate) fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Damaged> {
        let (first, rest) = self.0.split_first_chunk::<N>().ok_or(Damaged)?;
        self.0 = rest;
        Ok(*first)
    }

    /// The bytes of a label set, not looked into further than needed to find its end.
    pub(crate) fn packed_labels(&mut self) -> Result<&'a [u8], Damaged> {
        let all = self.0;
        for _ in 0..self.count(2)? {
            self.bytes()?;
            self.bytes()?;
        }
        Ok(&all[..all.len() - self.0.len()])
    }

    pub(crate) fn labels(&mut self) -> Result<Labels, Damaged> {
        let count = self.count(2)?;
        let mut read = 0;
        let mut before: Option<&str> = None;
        let pairs = (0..count).map_while(|_| {
            let pair = (self.text().ok()?, self.text().ok()?);
            if before.is_some_and(|before| before >= pair.0) {
                return None;
            }
            before = Some(pair.0);
            read += 1;
            Some(pair)
        });
        let labels = Labels::from_sorted(pairs);
        if read < count {
            return Err(Damaged);
        }
        Ok(labels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_put_is_read(number: u64, signed: i64, text in ".*") {
            let labels = Labels::from_pairs([("a", text.clone()), ("b", "x".to_owned())]);
            let mut out = Vec::new();
            put_number(&mut out, number);
            put_signed(&mut out, signed);
            put_bytes(&mut out, text.as_bytes());
            put_labels(&mut out, &labels);
            let mut reader = Reader(&out);
            prop_assert_eq!(reader.number(), Ok(number));
            prop_assert_eq!(reader.signed(), Ok(signed));
            prop_assert_eq!(reader.text(), Ok(text.as_str()));
            let packed = reader.clone().packed_labels().map(<[u8]>::len);
            prop_assert_eq!(packed, Ok(reader.0.len()));
            prop_assert_eq!(reader.labels(), Ok(labels));
            prop_assert!(reader.0.is_empty());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let mut reader = Reader(&bytes);
            while reader.number().is_ok() && reader.labels().is_ok() && reader.text().is_ok() {}
        }
    }
}
