//! Data points as samples, as Prometheus's OTLP endpoint translates them: names with units and suffixes, `job` and `instance`
//! from the resource, `target_info` for the rest of it, histograms in classic buckets.
//!
//! Delta temporality and exponential histograms are not stored: each of their data points is rejected.

use std::collections::{BTreeMap, HashSet};

use wharf_signal::{Exemplar, Labels, Metadata, MetricKind, NAME, STALE, Value};

use super::names::{self, Suffix};
use super::value::{attributes, text};
use super::wire::{
    self, Data, ExemplarNumber, HistogramPoint, KeyValue, Metric, MetricsRequest, Number,
    NumberPoint, ResourceMetrics, SummaryPoint,
};
use super::{Budget, MetricBatch, MetricSample, OtlpError, Rejected, nanos};

const CUMULATIVE: i32 = 2;
/// `DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK`
const NO_VALUE: u32 = 1;
/// Half of the time for which a query sees a sample: `target_info` is said so often.
const INFO_EVERY_MILLIS: i64 = 150_000;
/// So many times at most in one request: five hours.
const INFO_TIMES: usize = 120;
const IDENTIFYING: [&str; 3] = ["service.name", "service.namespace", "service.instance.id"];

pub(super) fn of_request(
    request: MetricsRequest,
    budget: &mut Budget,
) -> Result<MetricBatch, OtlpError> {
    let mut batch = MetricBatch::default();
    let mut said = HashSet::new();
    for of_resource in request.resource_metrics {
        resource(of_resource, &mut batch, &mut said, budget)?;
    }
    Ok(batch)
}

fn resource(
    metrics: ResourceMetrics,
    batch: &mut MetricBatch,
    said: &mut HashSet<String>,
    budget: &mut Budget,
) -> Result<(), OtlpError> {
    let resource = attributes(metrics.resource.unwrap_or_default().attributes);
    let first = batch.samples.len();
    let mut writer = Writer {
        target: target(&resource),
        family: String::new(),
        batch,
        budget,
    };
    for metric in metrics
        .scope_metrics
        .into_iter()
        .flat_map(|scope| scope.metrics)
    {
        writer.metric(metric, said)?;
    }
    writer.target_info(&resource, first)
}

/// `job` and `instance`, as far as the resource says them.
fn target(resource: &[(String, Value)]) -> Vec<(&'static str, String)> {
    let said = |key: &str| {
        let found = resource.iter().find(|(k, _)| k == key);
        found
            .map(|(_, value)| text(value))
            .filter(|v| !v.is_empty())
    };
    let job = match (said("service.namespace"), said("service.name")) {
        (Some(namespace), Some(name)) => Some(format!("{namespace}/{name}")),
        (_, name) => name,
    };
    let instance = said("service.instance.id");
    let target = [("job", job), ("instance", instance)];
    let target = target
        .into_iter()
        .filter_map(|(label, value)| Some((label, value?)));
    target.collect()
}

/// What labels a metric's samples have, whichever they are.
type Set = BTreeMap<String, String>;

struct Writer<'a> {
    target: Vec<(&'static str, String)>,
    family: String,
    batch: &'a mut MetricBatch,
    budget: &'a mut Budget,
}

impl Writer<'_> {
    fn rejected(&mut self) -> &mut Rejected {
        &mut self.batch.rejected
    }

    fn metric(&mut self, metric: Metric, said: &mut HashSet<String>) -> Result<(), OtlpError> {
        let shown = metric.name.clone();
        let (kind, suffix, points, temporality) = match &metric.data {
            None => return Ok(()),
            Some(Data::Gauge(gauge)) => (
                MetricKind::Gauge,
                Suffix::Gauge,
                gauge.data_points.len(),
                CUMULATIVE,
            ),
            Some(Data::Sum(sum)) => {
                let (kind, suffix) = match sum.is_monotonic {
                    true => (MetricKind::Counter, Suffix::Counter),
                    false => (MetricKind::Gauge, Suffix::Other),
                };
                (
                    kind,
                    suffix,
                    sum.data_points.len(),
                    sum.aggregation_temporality,
                )
            }
            Some(Data::Histogram(histogram)) => {
                let temporality = histogram.aggregation_temporality;
                (
                    MetricKind::Histogram,
                    Suffix::Other,
                    histogram.data_points.len(),
                    temporality,
                )
            }
            Some(Data::Summary(summary)) => (
                MetricKind::Summary,
                Suffix::Other,
                summary.data_points.len(),
                CUMULATIVE,
            ),
            Some(Data::ExponentialHistogram(histogram)) => {
                let reason = format_args!(
                    "{shown:?} is an exponential histogram, which is not stored: let the SDK aggregate in explicit buckets"
                );
                self.batch.rejected.add(histogram.data_points.len(), reason);
                return Ok(());
            }
        };
        if temporality != CUMULATIVE {
            let reason = format_args!(
                "{shown:?} is not cumulative: let the SDK export cumulative temporality"
            );
            self.rejected().add(points, reason);
            return Ok(());
        }
        let Some(family) = names::metric(&metric.name, &metric.unit, suffix) else {
            self.rejected()
                .add(points, format_args!("{shown:?} is no name of a metric"));
            return Ok(());
        };
        if points > 0 && said.insert(family.clone()) {
            let metadata = Metadata {
                kind,
                unit: names::unit(&metric.unit),
                help: metric.description,
            };
            self.batch.metadata.push((family.clone(), metadata));
        }
        self.family = family;
        match metric.data {
            Some(Data::Gauge(gauge)) => self.each(gauge.data_points, |w, p| w.number(p, false)),
            Some(Data::Sum(sum)) => self.each(sum.data_points, |w, p| w.number(p, true)),
            Some(Data::Histogram(histogram)) => self.each(histogram.data_points, Self::histogram),
            Some(Data::Summary(summary)) => self.each(summary.data_points, Self::summary),
            _ => Ok(()),
        }
    }

    fn each<P>(
        &mut self,
        points: Vec<P>,
        write: impl Fn(&mut Self, P) -> Result<(), OtlpError>,
    ) -> Result<(), OtlpError> {
        points.into_iter().try_for_each(|point| write(self, point))
    }

    /// A point's time in milliseconds, if it can be stored.
    fn time(&mut self, unsigned: u64) -> Option<i64> {
        let time = nanos(unsigned).map(|nanos| nanos / 1_000_000);
        if time.is_none() {
            self.rejected()
                .add(1, format_args!("a data point's time is out of range"));
        }
        time
    }

    /// The labels of a point but for the name.
    fn labels(&self, attributes: Vec<KeyValue>) -> Set {
        labels(super::value::attributes(attributes), &self.target)
    }

    fn push(
        &mut self,
        labels: &Set,
        suffix: &str,
        bound: Option<(&str, String)>,
        (t, v): (i64, f64),
        exemplars: Vec<Exemplar>,
    ) -> Result<(), OtlpError> {
        let family = &self.family;
        let mut pairs: Vec<(&str, &str)> = labels
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        let name = format!("{family}{suffix}");
        pairs.retain(|(label, _)| *label != NAME && bound.as_ref().is_none_or(|(b, _)| b != label));
        pairs.push((NAME, &name));
        if let Some((label, value)) = &bound {
            pairs.push((label, value));
        }
        pairs.retain(|(_, value)| !value.is_empty());
        pairs.sort_unstable();
        let labels = Labels::from_sorted(pairs);
        let exemplar_bytes = exemplars.len() * (size_of::<Exemplar>() + 256);
        self.budget
            .take(size_of::<MetricSample>() + labels.as_bytes().len() + exemplar_bytes)?;
        self.batch.samples.push(MetricSample {
            labels,
            t,
            v,
            exemplars,
        });
        Ok(())
    }

    fn number(&mut self, point: NumberPoint, exemplars: bool) -> Result<(), OtlpError> {
        let Some(t) = self.time(point.time_unix_nano) else {
            return Ok(());
        };
        let v = match point.value {
            Some(Number::AsDouble(v)) => v,
            #[expect(clippy::cast_precision_loss, reason = "samples are doubles")]
            Some(Number::AsInt(v)) => v as f64,
            None => 0.0,
        };
        let v = recorded(v, point.flags);
        let labels = self.labels(point.attributes);
        let mut of_sum = Vec::new();
        if exemplars {
            of_sum.extend(point.exemplars.into_iter().filter_map(exemplar));
            of_sum.sort_by_key(|e| e.t);
        }
        self.push(&labels, "", None, (t, v), of_sum)
    }

    fn histogram(&mut self, point: HistogramPoint) -> Result<(), OtlpError> {
        let Some(t) = self.time(point.time_unix_nano) else {
            return Ok(());
        };
        let labels = self.labels(point.attributes);
        let flags = point.flags;
        #[expect(clippy::cast_precision_loss, reason = "samples are doubles")]
        let count = recorded(point.count as f64, flags);
        if let Some(sum) = point.sum {
            self.push(&labels, "_sum", None, (t, recorded(sum, flags)), Vec::new())?;
        }
        self.push(&labels, "_count", None, (t, count), Vec::new())?;
        let mut exemplars: Vec<_> = point.exemplars.into_iter().filter_map(exemplar).collect();
        let mut cumulative = 0_u64;
        for (bound, bucket) in point.explicit_bounds.into_iter().zip(point.bucket_counts) {
            cumulative = cumulative.saturating_add(bucket);
            // The last bucket is the count's, whatever bound is written for it.
            if bound == f64::INFINITY {
                continue;
            }
            let (mut of_bucket, above) = exemplars
                .into_iter()
                .partition::<Vec<_>, _>(|e| e.value <= bound);
            exemplars = above;
            of_bucket.sort_by_key(|e| e.t);
            #[expect(clippy::cast_precision_loss, reason = "samples are doubles")]
            let v = recorded(cumulative as f64, flags);
            self.push(
                &labels,
                "_bucket",
                Some(("le", bound_text(bound))),
                (t, v),
                of_bucket,
            )?;
        }
        exemplars.sort_by_key(|e| e.t);
        self.push(
            &labels,
            "_bucket",
            Some(("le", "+Inf".to_owned())),
            (t, count),
            exemplars,
        )
    }

    fn summary(&mut self, point: SummaryPoint) -> Result<(), OtlpError> {
        let Some(t) = self.time(point.time_unix_nano) else {
            return Ok(());
        };
        let labels = self.labels(point.attributes);
        let flags = point.flags;
        self.push(
            &labels,
            "_sum",
            None,
            (t, recorded(point.sum, flags)),
            Vec::new(),
        )?;
        #[expect(clippy::cast_precision_loss, reason = "samples are doubles")]
        let count = recorded(point.count as f64, flags);
        self.push(&labels, "_count", None, (t, count), Vec::new())?;
        for quantile in point.quantile_values {
            let v = recorded(quantile.value, flags);
            let bound = ("quantile", bound_text(quantile.quantile));
            self.push(&labels, "", Some(bound), (t, v), Vec::new())?;
        }
        Ok(())
    }

    /// What the resource says beside who it is, as labels of a series that is always 1, for as long as its samples last.
    fn target_info(&mut self, resource: &[(String, Value)], first: usize) -> Result<(), OtlpError> {
        let times = || self.batch.samples[first..].iter().map(|sample| sample.t);
        let (Some(begin), Some(end)) = (times().min(), times().max()) else {
            return Ok(());
        };
        let identifying = |key: &str| IDENTIFYING.contains(&key);
        let more: Vec<_> = resource
            .iter()
            .filter(|(key, _)| !identifying(key))
            .cloned()
            .collect();
        if more.is_empty() || self.target.is_empty() {
            return Ok(());
        }
        let labels = labels(more, &self.target);
        "target_info".clone_into(&mut self.family);
        let steps = std::iter::successors(Some(begin), |t| t.checked_add(INFO_EVERY_MILLIS));
        let steps = steps.take(INFO_TIMES).take_while(|t| *t < end);
        for t in steps.chain([end]).collect::<Vec<_>>() {
            self.push(&labels, "", None, (t, 1.0), Vec::new())?;
        }
        Ok(())
    }
}

/// Attributes as labels, with those of the target. Keys that become one label are joined with `;`, in their order.
fn labels(mut attributes: Vec<(String, Value)>, target: &[(&'static str, String)]) -> Set {
    attributes.sort_by(|a, b| a.0.cmp(&b.0));
    let mut set = Set::new();
    for (key, value) in attributes {
        let value = text(&value);
        let Some(name) = names::label(&key).filter(|name| name != NAME && !value.is_empty()) else {
            continue;
        };
        match set.get_mut(&name) {
            Some(joined) => {
                joined.push(';');
                joined.push_str(&value);
            }
            None => {
                set.insert(name, value);
            }
        }
    }
    for (name, value) in target {
        set.insert((*name).to_owned(), value.clone());
    }
    set
}

fn recorded(v: f64, flags: u32) -> f64 {
    if flags & NO_VALUE != 0 { STALE } else { v }
}

fn bound_text(bound: f64) -> String {
    match bound {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        bound => bound.to_string(),
    }
}

fn exemplar(exemplar: wire::Exemplar) -> Option<Exemplar> {
    let value = match exemplar.value? {
        ExemplarNumber::AsDouble(value) => value,
        #[expect(clippy::cast_precision_loss, reason = "samples are doubles")]
        ExemplarNumber::AsInt(value) => value as f64,
    };
    let mut pairs = Vec::new();
    if let Some(id) = super::spans::trace_id(&exemplar.trace_id) {
        pairs.push(("trace_id".to_owned(), id.to_string()));
    }
    if let Some(id) = super::spans::span_id(&exemplar.span_id) {
        pairs.push(("span_id".to_owned(), id.to_string()));
    }
    let ids = pairs.len();
    for (key, value) in attributes(exemplar.filtered_attributes) {
        if !pairs[..ids].iter().any(|(name, _)| *name == key) {
            pairs.push((key, text(&value)));
        }
    }
    // OpenMetrics allows no more; the ids are what counts.
    let characters = |(n, v): &(String, String)| n.chars().count() + v.chars().count();
    if pairs.iter().map(characters).sum::<usize>() > 128 {
        pairs.truncate(ids);
    }
    Some(Exemplar {
        labels: crate::label_pairs::set_of(pairs),
        value,
        t: nanos(exemplar.time_unix_nano)
            .map(|nanos| nanos / 1_000_000)
            .filter(|t| *t != 0),
    })
}
