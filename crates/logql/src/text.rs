//! Numbers, durations, sizes and quoted strings as Go programs read and write them.

mod bytes;
mod duration;
mod number;
mod quote;

pub(crate) use bytes::{format_bytes, parse_bytes};
pub use duration::parse_duration;
pub(crate) use duration::{
    format_go_duration, format_prometheus_duration, parse_go_duration, parse_prometheus_duration,
};
pub(crate) use number::{format_number, format_plain, parse_float};
pub(crate) use quote::{quote, unquote};
