//! What the stages of a pipeline do with a line.

pub(crate) mod decolorize;
pub(crate) mod ip;
pub(crate) mod json;
pub(crate) mod json_path;
pub(crate) mod label_filter;
pub(crate) mod line_filter;
pub(crate) mod logfmt;
pub(crate) mod needed;
pub(crate) mod pattern;
pub(crate) mod regexp;
