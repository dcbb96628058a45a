//! How much there is.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use wharf_logql::{Expr, MetricResult, Stats, parse};
use wharf_signal::{Labels, Matcher, Sample, Series};

use super::index::Size;
use super::params::{LINES_SINCE, Params, SECOND};
use super::{Api, Failure, LogIndex, answer};

/// Steps of a range; each looks at the whole index.
const MAX_STEPS: i64 = 1_000;

/// The matchers of a query, whatever its pipeline; `{}` selects all.
fn matchers(params: &Params) -> Result<Vec<Matcher>, Failure> {
    let query = params.query()?;
    if let Ok(matchers) = wharf_logql::parse_selector(query) {
        return Ok(matchers);
    }
    match parse(query)? {
        Expr::Log(log) => Ok(log.matchers),
        Expr::Metric(_) => Err(Failure::bad("only label matchers are supported")),
    }
}

/// Streams, chunks, entries and bytes.
pub(super) async fn stats(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<Response, Failure> {
    let matchers = matchers(&params)?;
    let span = params.span(LINES_SINCE)?;
    let logs = Arc::clone(&api.logs);
    let series = api
        .gate
        .run(move |interrupt| Ok(logs.series(&matchers, span.start, span.end, interrupt)?))
        .await?;
    let sum = |of: fn(&Size) -> u64| series.values().map(of).sum::<u64>();
    let body = json!({
        "streams": series.len(),
        "chunks": sum(|size| size.chunks),
        "entries": sum(|size| size.entries),
        "bytes": sum(|size| size.bytes),
    });
    Ok(Json(body).into_response())
}

/// How volumes are added up.
struct Shape {
    /// Only these labels.
    labels: Vec<String>,
    /// By the names of labels, not by their values.
    by_name: bool,
    limit: usize,
}

impl Shape {
    fn new(params: &Params, matchers: &[Matcher]) -> Result<Self, Failure> {
        let by_name = match params.get("aggregateBy").unwrap_or("series") {
            "series" => false,
            "labels" => true,
            _ => {
                return Err(Failure::bad(
                    "invalid aggregation option; it is series or labels",
                ));
            }
        };
        let targets = params.get("targetLabels").unwrap_or_default();
        let mut labels: Vec<String> = targets
            .split(',')
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect();
        if labels.is_empty() && !by_name {
            labels = matchers
                .iter()
                .filter(|m| !m.matches_empty())
                .map(|m| m.name.clone())
                .collect();
        }
        let limit = params.count("limit", 100)?;
        Ok(Self {
            labels,
            by_name,
            limit,
        })
    }

    fn wants(&self, name: &str) -> bool {
        self.labels.is_empty() || self.labels.iter().any(|label| label == name)
    }

    /// Adds up, largest first.
    fn sum(&self, series: &BTreeMap<Labels, Size>) -> Vec<(Labels, u64)> {
        let mut sums: BTreeMap<Labels, u64> = BTreeMap::new();
        for (labels, size) in series {
            if self.by_name {
                for (name, _) in labels.iter().filter(|(name, _)| self.wants(name)) {
                    // A name without a value cannot be in a set: it stands for both.
                    let label = Labels::from_pairs([(name, name)]);
                    *sums.entry(label).or_default() += size.bytes;
                }
            } else {
                let labels = labels.only(|name| self.wants(name));
                *sums.entry(labels).or_default() += size.bytes;
            }
        }
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_by(|(a, x), (b, y)| y.cmp(x).then_with(|| a.cmp(b)));
        sums.truncate(self.limit);
        sums
    }

    fn metric(&self, labels: &Labels) -> Value {
        if !self.by_name {
            return answer::object(labels);
        }
        let names = labels.iter().map(|(name, _)| (name.to_owned(), json!("")));
        Value::Object(names.collect())
    }
}

/// Bytes in a span of time.
pub(super) async fn volume(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<Response, Failure> {
    let matchers = matchers(&params)?;
    let span = params.span(LINES_SINCE)?;
    let shape = Shape::new(&params, &matchers)?;
    let logs = Arc::clone(&api.logs);
    let series = api
        .gate
        .run(move |interrupt| Ok(logs.series(&matchers, span.start, span.end, interrupt)?))
        .await?;
    let t = span.end.div_euclid(1_000_000);
    let result: Vec<Value> = shape
        .sum(&series)
        .iter()
        .map(|(labels, bytes)| {
            let value = answer::sample(Sample {
                t,
                v: *bytes as f64,
            });
            json!({"metric": shape.metric(labels), "value": value})
        })
        .collect();
    let stats = answer::statistics(Stats::default(), result.len(), std::time::Duration::ZERO);
    Ok(answer::success(
        &json!({"resultType": "vector", "result": result, "stats": stats}),
    ))
}

/// Bytes in each step.
pub(super) async fn volume_range(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<Response, Failure> {
    let matchers = matchers(&params)?;
    let span = params.span(LINES_SINCE)?;
    let step = params.step(span)?.max(SECOND);
    if span.end.saturating_sub(span.start) / step > MAX_STEPS {
        return Err(Failure::bad(format!(
            "exceeded maximum resolution of {MAX_STEPS} points per time series. Try increasing the value of the step parameter"
        )));
    }
    let shape = Shape::new(&params, &matchers)?;
    let logs: Arc<dyn LogIndex> = Arc::clone(&api.logs);
    let series = api
        .gate
        .run(move |interrupt| {
            let mut matrix: BTreeMap<Labels, Vec<Sample>> = BTreeMap::new();
            let mut start = span.start;
            while start < span.end {
                let end = start.saturating_add(step).min(span.end);
                let series = logs.series(&matchers, start, end, interrupt)?;
                for (labels, bytes) in shape.sum(&series) {
                    let sample = Sample {
                        t: end.div_euclid(1_000_000),
                        v: bytes as f64,
                    };
                    matrix.entry(labels).or_default().push(sample);
                }
                start = end;
            }
            let series = matrix.into_iter();
            let series = series.map(|(labels, samples)| Series { labels, samples });
            Ok(series.collect::<Vec<_>>())
        })
        .await?;
    Ok(answer::numbers(
        &MetricResult::Matrix(series),
        Stats::default(),
        std::time::Duration::ZERO,
    ))
}
