//! Values with the place where they were typed.

use std::ops::Range;

/// Bytes of the file.
pub type Span = Range<usize>;

/// A value and the bytes of the file that it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned<T> {
    /// What was read.
    pub value: T,
    /// Where.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// The value at its place.
    #[must_use]
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

/// One field of a record: absent, there but unusable (a diagnostic has been made), or there.
///
/// What checks a record asks [`Field::is_absent`] before it complains that something is missing, so that a bad value is
/// reported once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field<T> {
    key: Option<Span>,
    value: Option<Spanned<T>>,
}

impl<T> Default for Field<T> {
    fn default() -> Self {
        Self {
            key: None,
            value: None,
        }
    }
}

impl<T> Field<T> {
    /// A field whose key stands at `key`; `value` is none if it could not be read.
    #[must_use]
    pub fn present(key: Span, value: Option<Spanned<T>>) -> Self {
        Self {
            key: Some(key),
            value,
        }
    }

    /// Whether the key does not occur.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.key.is_none()
    }

    /// Where the key stands.
    #[must_use]
    pub fn key_span(&self) -> Option<&Span> {
        self.key.as_ref()
    }

    /// The value with its place.
    #[must_use]
    pub fn get(&self) -> Option<&Spanned<T>> {
        self.value.as_ref()
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> Option<&T> {
        self.value.as_ref().map(|spanned| &spanned.value)
    }
}
