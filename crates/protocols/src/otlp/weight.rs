//! How much memory a request takes when it is read, before it is: two bytes of Protocol Buffers can become a span of three
//! hundred.

use super::OtlpError;
use super::wire::{
    AnyValue, Event, Exemplar, HistogramPoint, KeyValue, Link, LogRecord, Metric, NumberPoint,
    ResourceLogs, ResourceMetrics, ResourceSpans, Span,
};
use crate::wire::{LEAF, Shape, weigh};

static ANY: Shape = Shape(&[
    (5, size_of::<AnyValue>(), &LIST),
    (6, size_of::<AnyValue>(), &ATTRIBUTES),
]);
static LIST: Shape = Shape(&[(1, size_of::<AnyValue>(), &ANY)]);
static PAIR: Shape = Shape(&[(2, 0, &ANY)]);
/// Attributes as field 1: of a resource, or of a map.
static ATTRIBUTES: Shape = Shape(&[(1, size_of::<KeyValue>(), &PAIR)]);
/// Of a scope.
static SCOPE: Shape = Shape(&[(3, size_of::<KeyValue>(), &PAIR)]);

pub(super) static TRACES: Shape = Shape(&[(1, size_of::<ResourceSpans>(), &RESOURCE_SPANS)]);
static RESOURCE_SPANS: Shape = Shape(&[(1, 0, &ATTRIBUTES), (2, 128, &SCOPE_SPANS)]);
static SCOPE_SPANS: Shape = Shape(&[(1, 0, &SCOPE), (2, size_of::<Span>(), &SPAN)]);
static SPAN: Shape = Shape(&[
    (9, size_of::<KeyValue>(), &PAIR),
    (11, size_of::<Event>(), &EVENT),
    (13, size_of::<Link>(), &LINK),
]);
static EVENT: Shape = Shape(&[(3, size_of::<KeyValue>(), &PAIR)]);
static LINK: Shape = Shape(&[(4, size_of::<KeyValue>(), &PAIR)]);

pub(super) static LOGS: Shape = Shape(&[(1, size_of::<ResourceLogs>(), &RESOURCE_LOGS)]);
static RESOURCE_LOGS: Shape = Shape(&[(1, 0, &ATTRIBUTES), (2, 128, &SCOPE_LOGS)]);
static SCOPE_LOGS: Shape = Shape(&[(1, 0, &SCOPE), (2, size_of::<LogRecord>(), &RECORD)]);
static RECORD: Shape = Shape(&[(5, 0, &ANY), (6, size_of::<KeyValue>(), &PAIR)]);

pub(super) static METRICS: Shape = Shape(&[(1, size_of::<ResourceMetrics>(), &RESOURCE_METRICS)]);
static RESOURCE_METRICS: Shape = Shape(&[(1, 0, &ATTRIBUTES), (2, 128, &SCOPE_METRICS)]);
static SCOPE_METRICS: Shape = Shape(&[(1, 0, &SCOPE), (2, size_of::<Metric>(), &METRIC)]);
static METRIC: Shape = Shape(&[
    (5, 0, &NUMBERS),
    (7, 0, &NUMBERS),
    (9, 0, &HISTOGRAM),
    (11, 0, &SUMMARY),
]);
static NUMBERS: Shape = Shape(&[(1, size_of::<NumberPoint>(), &NUMBER)]);
static NUMBER: Shape = Shape(&[
    (7, size_of::<KeyValue>(), &PAIR),
    (5, size_of::<Exemplar>(), &EXEMPLAR),
]);
static HISTOGRAM: Shape = Shape(&[(1, size_of::<HistogramPoint>(), &HISTOGRAM_POINT)]);
static HISTOGRAM_POINT: Shape = Shape(&[
    (9, size_of::<KeyValue>(), &PAIR),
    (8, size_of::<Exemplar>(), &EXEMPLAR),
]);
/// A summary's point is smaller than a histogram's.
static SUMMARY: Shape = Shape(&[(1, size_of::<HistogramPoint>(), &SUMMARY_POINT)]);
static SUMMARY_POINT: Shape = Shape(&[(7, size_of::<KeyValue>(), &PAIR), (6, 16, &LEAF)]);
static EXEMPLAR: Shape = Shape(&[(7, size_of::<KeyValue>(), &PAIR)]);

/// Refuses what would take more than `limit`.
pub(super) fn of_protobuf(body: &[u8], shape: &Shape, limit: usize) -> Result<(), OtlpError> {
    weigh(body, shape, limit).ok_or(OtlpError::TooLarge { limit })
}

/// Refuses what would take more than `limit`. Each message is an object; braces within texts count too.
pub(super) fn of_json(body: &[u8], limit: usize) -> Result<(), OtlpError> {
    let objects = memchr::memchr_iter(b'{', body).count();
    // Most are attributes and their values.
    let size = size_of::<KeyValue>();
    let spans = [b"spanId".as_slice(), b"body", b"timeUnixNano"];
    let large: usize = spans
        .iter()
        .map(|word| memchr::memmem::find_iter(body, word).count())
        .sum();
    let empty = empty_objects(body);
    let weight = objects
        .saturating_mul(size)
        .saturating_add((large + empty).saturating_mul(size_of::<Span>()));
    if weight > limit {
        return Err(OtlpError::TooLarge { limit });
    }
    Ok(())
}

/// Objects that say nothing take as much as those that do.
fn empty_objects(body: &[u8]) -> usize {
    memchr::memchr_iter(b'{', body)
        .filter(|at| {
            let rest = body[at + 1..].trim_ascii_start();
            rest.first() == Some(&b'}')
        })
        .count()
}
