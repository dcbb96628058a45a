//! Why an expression cannot be read or evaluated.

use wharf_signal::{Interrupted, SourceError};

use crate::ast::Position;

/// What was given is no expression, or one that means nothing.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{at}: parse error: {message}")]
pub struct ParseError {
    /// Where.
    pub at: Position,
    /// Why, in Prometheus's words.
    pub message: String,
}

/// An expression that cannot be evaluated on this data.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EvalError {
    /// More samples than `max_samples` would be in memory.
    #[error("query processing would load too many samples into memory in query execution")]
    TooManySamples,
    /// It was stopped from outside.
    #[error("{0} in expression evaluation")]
    Interrupted(Interrupted),
    /// The store failed.
    #[error("expanding series: {0}")]
    Source(String),
    /// It makes no sense, in itself or with what is stored: in Prometheus's words.
    #[error("{0}")]
    Invalid(String),
}

impl EvalError {
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }

    pub(crate) fn same_labels() -> Self {
        Self::invalid("vector cannot contain metrics with the same labelset")
    }
}

impl From<SourceError> for EvalError {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Interrupted(why) => Self::Interrupted(why),
            SourceError::Failed(why) => Self::Source(why),
        }
    }
}

impl From<Interrupted> for EvalError {
    fn from(why: Interrupted) -> Self {
        Self::Interrupted(why)
    }
}
