//! Spans of requests, and requests of spans.

use prost::Message;
use wharf_signal::{Span, SpanEvent, SpanId, SpanKind, SpanLink, SpanStatus, TraceId, Value};

use super::value::{attributes, attributes_weight, to_attributes};
use super::wire::{
    self, KeyValue, Resource, ResourceSpans, Scope, ScopeSpans, Status, TraceRequest,
};
use super::{Budget, Encoding, OtlpError, Rejected, nanos};
use crate::loki_push::UNKNOWN_SERVICE;

pub(super) const SERVICE_NAME: &str = "service.name";

pub(super) fn of_request(
    request: TraceRequest,
    budget: &mut Budget,
) -> Result<(Vec<Span>, Rejected), OtlpError> {
    let mut spans = Vec::new();
    let mut rejected = Rejected::default();
    for of_resource in request.resource_spans {
        let resource = of_resource.resource.unwrap_or_default();
        let (service, resource) = service_of(attributes(resource.attributes));
        let shared = service.len() + attributes_weight(&resource) + size_of::<Span>();
        for of_scope in of_resource.scope_spans {
            let scope = of_scope.scope.unwrap_or_default().name;
            for span in of_scope.spans {
                let name = span.name.clone();
                match self::span(span) {
                    Ok(mut span) => {
                        budget.take(shared + scope.len() + own_weight(&span))?;
                        span.service.clone_from(&service);
                        span.resource.clone_from(&resource);
                        span.scope.clone_from(&scope);
                        spans.push(span);
                    }
                    Err(reason) => rejected.add(1, format_args!("span {name:?}: {reason}")),
                }
            }
        }
    }
    Ok((spans, rejected))
}

/// The service's name, and the other attributes.
fn service_of(mut attributes: Vec<(String, Value)>) -> (String, Vec<(String, Value)>) {
    let at = attributes.iter().position(|(key, _)| key == SERVICE_NAME);
    let name = at.map(|at| super::value::text(&attributes.remove(at).1));
    let name = name.filter(|name| !name.is_empty());
    (
        name.unwrap_or_else(|| UNKNOWN_SERVICE.to_owned()),
        attributes,
    )
}

fn own_weight(span: &Span) -> usize {
    let events = span.events.iter();
    let events =
        events.map(|e| size_of::<SpanEvent>() + e.name.len() + attributes_weight(&e.attributes));
    let links = span.links.iter();
    let links = links.map(|l| size_of::<SpanLink>() + attributes_weight(&l.attributes));
    let texts = span.name.len() + span.message.len();
    texts + attributes_weight(&span.attributes) + events.sum::<usize>() + links.sum::<usize>()
}

/// A span, without what its resource and scope say.
fn span(span: wire::Span) -> Result<Span, &'static str> {
    let trace = trace_id(&span.trace_id).ok_or("a trace id is 16 bytes that are not all zero")?;
    let id = span_id(&span.span_id).ok_or("a span id is 8 bytes that are not all zero")?;
    let parent = match span.parent_span_id.as_slice() {
        [] => SpanId::default(),
        bytes => SpanId(u64::from_be_bytes(
            bytes
                .try_into()
                .map_err(|_| "a parent's span id is 8 bytes")?,
        )),
    };
    let out_of_range = "its time is out of range";
    let start_nanos = nanos(span.start_time_unix_nano).ok_or(out_of_range)?;
    let end_nanos = nanos(span.end_time_unix_nano).ok_or(out_of_range)?;
    let event = |event: wire::Event| {
        Ok(SpanEvent {
            nanos: nanos(event.time_unix_nano).ok_or(out_of_range)?,
            name: event.name,
            attributes: attributes(event.attributes),
        })
    };
    let status = span.status.unwrap_or_default();
    Ok(Span {
        trace,
        id,
        parent,
        name: span.name,
        service: String::new(),
        kind: match span.kind {
            1 => SpanKind::Internal,
            2 => SpanKind::Server,
            3 => SpanKind::Client,
            4 => SpanKind::Producer,
            5 => SpanKind::Consumer,
            _ => SpanKind::Unspecified,
        },
        start_nanos,
        // Clocks that went back.
        end_nanos: end_nanos.max(start_nanos),
        status: match status.code {
            1 => SpanStatus::Ok,
            2 => SpanStatus::Error,
            _ => SpanStatus::Unset,
        },
        message: status.message,
        attributes: attributes(span.attributes),
        resource: Vec::new(),
        scope: String::new(),
        events: span
            .events
            .into_iter()
            .map(event)
            .collect::<Result<_, &str>>()?,
        // A link to nothing is none.
        links: span.links.into_iter().filter_map(link).collect(),
    })
}

fn link(link: wire::Link) -> Option<SpanLink> {
    Some(SpanLink {
        trace: trace_id(&link.trace_id)?,
        span: span_id(&link.span_id)?,
        attributes: attributes(link.attributes),
    })
}

pub(super) fn trace_id(bytes: &[u8]) -> Option<TraceId> {
    let id = u128::from_be_bytes(bytes.try_into().ok()?);
    (id != 0).then_some(TraceId(id))
}

pub(super) fn span_id(bytes: &[u8]) -> Option<SpanId> {
    let id = u64::from_be_bytes(bytes.try_into().ok()?);
    (id != 0).then_some(SpanId(id))
}

pub(super) fn encode(spans: &[Span], encoding: Encoding) -> Vec<u8> {
    let same_resource = |a: &Span, b: &Span| a.service == b.service && a.resource == b.resource;
    let groups = spans.chunk_by(same_resource).map(|spans| {
        let mut resource = vec![KeyValue {
            key: SERVICE_NAME.to_owned(),
            value: Some(super::value::to_wire(&Value::Text(
                spans[0].service.clone(),
            ))),
        }];
        resource.extend(to_attributes(&spans[0].resource));
        ResourceSpans {
            resource: Some(Resource {
                attributes: resource,
            }),
            scope_spans: spans
                .chunk_by(|a, b| a.scope == b.scope)
                .map(scope_spans)
                .collect(),
        }
    });
    let request = TraceRequest {
        resource_spans: groups.collect(),
    };
    match encoding {
        Encoding::Protobuf => request.encode_to_vec(),
        Encoding::Json => serde_json::to_vec(&request).expect("a trace is JSON"),
    }
}

fn scope_spans(spans: &[Span]) -> ScopeSpans {
    ScopeSpans {
        scope: Some(Scope {
            name: spans[0].scope.clone(),
            ..Scope::default()
        }),
        spans: spans.iter().map(to_wire).collect(),
    }
}

fn to_wire(span: &Span) -> wire::Span {
    let time = |nanos: i64| u64::try_from(nanos).unwrap_or_default();
    wire::Span {
        trace_id: span.trace.0.to_be_bytes().to_vec(),
        span_id: span.id.0.to_be_bytes().to_vec(),
        parent_span_id: match span.parent.0 {
            0 => Vec::new(),
            id => id.to_be_bytes().to_vec(),
        },
        name: span.name.clone(),
        kind: match span.kind {
            SpanKind::Unspecified => 0,
            SpanKind::Internal => 1,
            SpanKind::Server => 2,
            SpanKind::Client => 3,
            SpanKind::Producer => 4,
            SpanKind::Consumer => 5,
        },
        start_time_unix_nano: time(span.start_nanos),
        end_time_unix_nano: time(span.end_nanos),
        attributes: to_attributes(&span.attributes),
        events: span
            .events
            .iter()
            .map(|event| wire::Event {
                time_unix_nano: time(event.nanos),
                name: event.name.clone(),
                attributes: to_attributes(&event.attributes),
            })
            .collect(),
        links: span
            .links
            .iter()
            .map(|link| wire::Link {
                trace_id: link.trace.0.to_be_bytes().to_vec(),
                span_id: link.span.0.to_be_bytes().to_vec(),
                attributes: to_attributes(&link.attributes),
            })
            .collect(),
        status: Some(Status {
            message: span.message.clone(),
            code: match span.status {
                SpanStatus::Unset => 0,
                SpanStatus::Ok => 1,
                SpanStatus::Error => 2,
            },
        }),
    }
}
