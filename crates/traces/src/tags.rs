//! The names of attributes, and where they are.

/// What an attribute is said of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Who did it: `resource.service.name`.
    Resource,
    /// The span: `span.http.route`.
    Span,
}

impl Scope {
    /// The word of TraceQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resource => "resource",
            Self::Span => "span",
        }
    }

    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Resource => 0,
            Self::Span => 1,
        }
    }

    pub(crate) fn of(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Resource),
            1 => Some(Self::Span),
            _ => None,
        }
    }
}
