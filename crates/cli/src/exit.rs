//! Exit codes, and the one place that prints an error with its causes and its hint.

use std::fmt;

use wharf_engine::api::ApiError;
use wharf_engine::client::ClientError;

use crate::output::Output;

/// The documented exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// Done.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// Wrong usage, or an invalid `wharf.yaml`.
    Usage = 2,
    /// Something would change (`plan`, `render --check`).
    Pending = 3,
    /// Something is not ready.
    Unhealthy = 4,
}

/// An error that ends with another code than 1.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// An error with a hint.
pub(crate) fn failure(
    code: Code,
    message: impl Into<String>,
    hint: impl Into<String>,
) -> anyhow::Error {
    let hint = hint.into();
    Failure {
        code,
        message: message.into(),
        hint: (!hint.is_empty()).then_some(hint),
    }
    .into()
}

/// Prints the error, its causes and what to try; gives the exit code.
pub(crate) fn report(output: &Output, error: &anyhow::Error) -> Code {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // A transparent error repeats its source.
        if !text.ends_with(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    output.error(&text);
    let failure = error.downcast_ref::<Failure>();
    let api = error
        .chain()
        .find_map(|cause| match cause.downcast_ref::<ClientError>() {
            Some(ClientError::Refused(api)) => Some(api),
            _ => cause.downcast_ref::<ApiError>(),
        });
    let not_running = error
        .chain()
        .any(|cause| matches!(cause.downcast_ref(), Some(ClientError::NotRunning(_))));
    let hint = failure
        .and_then(|failure| failure.hint.clone())
        .or_else(|| api.and_then(|api| api.hint.clone()));
    let hint = hint.or_else(|| not_running.then(|| "`wharf up -d` starts it".to_owned()));
    if let Some(hint) = hint {
        output.hint(&hint);
    }
    failure.map_or(Code::Failed, |failure| failure.code)
}
