//! The request's messages, as prost writes them.

use prost::Message;
use wharf_signal::{Labels, Metadata, MetricKind};

use super::WriteRequest;
use crate::snappy;

#[derive(Clone, PartialEq, Message)]
pub(super) struct Request {
    #[prost(message, repeated, tag = "1")]
    pub(super) series: Vec<Series>,
    #[prost(message, repeated, tag = "3")]
    pub(super) metadata: Vec<FamilyMetadata>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Series {
    #[prost(message, repeated, tag = "1")]
    pub(super) labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    pub(super) samples: Vec<Sample>,
    #[prost(message, repeated, tag = "3")]
    pub(super) exemplars: Vec<Exemplar>,
    /// Native histograms, which are not read.
    #[prost(bytes = "vec", repeated, tag = "4")]
    pub(super) histograms: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Label {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Sample {
    #[prost(double, tag = "1")]
    pub(super) value: f64,
    #[prost(int64, tag = "2")]
    pub(super) timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Exemplar {
    #[prost(message, repeated, tag = "1")]
    pub(super) labels: Vec<Label>,
    #[prost(double, tag = "2")]
    pub(super) value: f64,
    #[prost(int64, tag = "3")]
    pub(super) timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct FamilyMetadata {
    #[prost(int32, tag = "1")]
    pub(super) kind: i32,
    #[prost(string, tag = "2")]
    pub(super) family: String,
    #[prost(string, tag = "4")]
    pub(super) help: String,
    #[prost(string, tag = "5")]
    pub(super) unit: String,
}

/// A request's body, packed.
#[must_use]
pub fn encode(request: &WriteRequest) -> Vec<u8> {
    snappy::pack(&message(request).encode_to_vec())
}

pub(super) fn message(request: &WriteRequest) -> Request {
    let series = request.series.iter().map(|series| Series {
        labels: labels(&series.labels),
        samples: series
            .samples
            .iter()
            .map(|sample| Sample {
                value: sample.v,
                timestamp: sample.t,
            })
            .collect(),
        exemplars: series
            .exemplars
            .iter()
            .map(|exemplar| Exemplar {
                labels: labels(&exemplar.labels),
                value: exemplar.value,
                timestamp: exemplar.t.unwrap_or_default(),
            })
            .collect(),
        histograms: Vec::new(),
    });
    Request {
        series: series.collect(),
        metadata: request.metadata.iter().map(metadata).collect(),
    }
}

fn labels(labels: &Labels) -> Vec<Label> {
    let label = |(name, value): (&str, &str)| Label {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    labels.iter().map(label).collect()
}

fn metadata((family, metadata): &(String, Metadata)) -> FamilyMetadata {
    FamilyMetadata {
        kind: match metadata.kind {
            MetricKind::Unknown => 0,
            MetricKind::Counter => 1,
            MetricKind::Gauge => 2,
            MetricKind::Histogram => 3,
            MetricKind::GaugeHistogram => 4,
            MetricKind::Summary => 5,
            MetricKind::Info => 6,
            MetricKind::StateSet => 7,
        },
        family: family.clone(),
        help: metadata.help.clone(),
        unit: metadata.unit.clone(),
    }
}
