//! Protocol Buffers' fields, one after another, without copying what is in them.

/// What is no message: at which byte, and what was expected there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no Protocol Buffers message: expected {0}")]
pub struct WireError(pub(crate) &'static str);

/// A field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    /// A kind that nothing here has.
    Other,
}

impl<'a> Field<'a> {
    pub(crate) fn bytes(self) -> Result<&'a [u8], WireError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(WireError("bytes in a field that holds a message or text")),
        }
    }

    pub(crate) fn text(self) -> Result<&'a str, WireError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| WireError("UTF-8 in a text"))
    }

    pub(crate) fn double(self) -> Result<f64, WireError> {
        match self {
            Self::Fixed64(bits) => Ok(f64::from_bits(bits)),
            _ => Err(WireError("eight bytes of a double")),
        }
    }

    pub(crate) fn int(self) -> Result<i64, WireError> {
        match self {
            Self::Varint(value) => Ok(value.cast_signed()),
            _ => Err(WireError("a varint")),
        }
    }
}

/// The fields of one message.
#[derive(Debug, Clone)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// How many bytes are still to come.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    /// The next field's number and value.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<(u32, Field<'a>)>, WireError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let number = u32::try_from(key >> 3)
            .ok()
            .filter(|n| *n > 0 && *n < 1 << 29);
        let number = number.ok_or(WireError("a field's number"))?;
        let field = match key & 7 {
            0 => Field::Varint(self.varint()?),
            1 => {
                let (bytes, rest) = self
                    .rest
                    .split_first_chunk::<8>()
                    .ok_or(WireError("eight bytes"))?;
                self.rest = rest;
                Field::Fixed64(u64::from_le_bytes(*bytes))
            }
            2 => {
                let length = self.varint()?;
                let split = usize::try_from(length)
                    .ok()
                    .and_then(|n| self.rest.split_at_checked(n));
                let (bytes, rest) =
                    split.ok_or(WireError("as many bytes as a field's length says"))?;
                self.rest = rest;
                Field::Bytes(bytes)
            }
            5 => {
                let (_, rest) = self
                    .rest
                    .split_first_chunk::<4>()
                    .ok_or(WireError("four bytes"))?;
                self.rest = rest;
                Field::Other
            }
            _ => return Err(WireError("a known kind of field")),
        };
        Ok(Some((number, field)))
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, WireError> {
        if let Some((first, rest)) = self.rest.split_first()
            && *first < 0x80
        {
            self.rest = rest;
            return Ok(u64::from(*first));
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0;
        // Ten bytes hold 64 bits.
        for (index, byte) in self.rest.iter().take(10).enumerate() {
            let bits = u64::from(byte & 0x7f);
            if index == 9 && bits > 1 {
                break;
            }
            value |= bits << (7 * index);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        Err(WireError("a varint"))
    }
}

/// The messages within a message: by number, how much memory each takes when prost has read it, and what is within it.
pub(crate) struct Shape(pub(crate) &'static [(u32, usize, &'static Shape)]);

/// What holds no messages.
pub(crate) static LEAF: Shape = Shape(&[]);

/// Goes through a message before prost reads it, and gives none if what is in it would take more than `limit` bytes: two bytes
/// of Protocol Buffers can become some hundred. What is no message is left to prost.
pub(crate) fn weigh(message: &[u8], shape: &Shape, limit: usize) -> Option<()> {
    // As deep as prost goes.
    weigh_within(message, shape, &mut { limit }, 100)
}

fn weigh_within(message: &[u8], shape: &Shape, left: &mut usize, depth: u8) -> Option<()> {
    let Some(depth) = depth.checked_sub(1) else {
        return Some(());
    };
    let mut fields = Fields::new(message);
    while let Ok(Some((number, field))) = fields.next() {
        let Some((_, size, inner)) = shape.0.iter().find(|(of, ..)| *of == number) else {
            continue;
        };
        if let Field::Bytes(bytes) = field {
            // A list grows by doubling.
            *left = left.checked_sub(2 * size)?;
            weigh_within(bytes, inner, left, depth)?;
        }
    }
    Some(())
}
