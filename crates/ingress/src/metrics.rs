//! What the ingress counts, as Prometheus reads it (text format 0.0.4).
//!
//! Each worker counts in its own shard, behind a lock that only a scrape ever contends for; a scrape sums the shards.
//! Label values come from the configuration, from known methods and from status codes, never from what a client
//! chooses, so the number of series is bounded by the configuration.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use http::Method;

use crate::monotonic;

/// Upper bounds of the duration histogram in seconds: Prometheus's defaults with two finer ones, because what is
/// near answers in a millisecond.
const BUCKETS: [(f64, &str); 13] = [
    (0.001, "0.001"),
    (0.0025, "0.0025"),
    (0.005, "0.005"),
    (0.01, "0.01"),
    (0.025, "0.025"),
    (0.05, "0.05"),
    (0.1, "0.1"),
    (0.25, "0.25"),
    (0.5, "0.5"),
    (1.0, "1"),
    (2.5, "2.5"),
    (5.0, "5"),
    (10.0, "10"),
];

/// How long the series of a release that got no requests are kept; longer than any usual scrape interval.
const SERIES_KEPT_MILLIS: u64 = 30 * 60 * 1000;

/// Above this many series in a shard, silent ones are dropped.
const SERIES_MAX: usize = 256;

/// A label's value: an index into [`Labels`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub(crate) struct LabelId(u32);

impl LabelId {
    /// The number behind it, for keys of other tables.
    pub(crate) fn number(self) -> u32 {
        self.0
    }
}

#[derive(Debug, Default)]
struct LabelTable {
    ids: HashMap<Arc<str>, LabelId>,
    names: Vec<Arc<str>>,
}

/// The values of labels, each with a number. [`LabelId::default`] is the empty value.
#[derive(Debug)]
pub(crate) struct Labels(RwLock<LabelTable>);

impl Default for Labels {
    fn default() -> Self {
        let labels = Self(RwLock::default());
        labels.id("");
        labels
    }
}

impl Labels {
    /// The number of `name`.
    pub(crate) fn id(&self, name: &str) -> LabelId {
        let mut table = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = table.ids.get(name) {
            return *id;
        }
        let id = LabelId(u32::try_from(table.names.len()).unwrap_or(0));
        let name: Arc<str> = name.into();
        table.names.push(Arc::clone(&name));
        table.ids.insert(name, id);
        id
    }

    fn name(&self, id: LabelId) -> Arc<str> {
        let table = self.0.read().unwrap_or_else(PoisonError::into_inner);
        table
            .names
            .get(id.0 as usize)
            .map(Arc::clone)
            .unwrap_or_default()
    }
}

/// Whom a request belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub(crate) struct SeriesKey {
    pub(crate) route: LabelId,
    pub(crate) service: LabelId,
    pub(crate) release: LabelId,
}

#[derive(Debug, Clone, Default)]
struct Series {
    /// By method and status; a handful, so a list.
    counts: Vec<(&'static str, u16, u64)>,
    buckets: [u64; BUCKETS.len() + 1],
    sum_micros: u64,
    bytes_in: u64,
    bytes_out: u64,
    used: u64,
}

impl Series {
    fn count(&mut self, method: &'static str, status: u16, by: u64) {
        match self
            .counts
            .iter_mut()
            .find(|(m, s, _)| *s == status && *m == method)
        {
            Some((_, _, count)) => *count += by,
            None => self.counts.push((method, status, by)),
        }
    }

    fn add(&mut self, other: &Self) {
        for (method, status, count) in &other.counts {
            self.count(method, *status, *count);
        }
        for (bucket, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *bucket += more;
        }
        self.sum_micros += other.sum_micros;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
    }
}

/// One finished request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample<'a> {
    pub(crate) key: SeriesKey,
    pub(crate) method: &'a Method,
    pub(crate) status: u16,
    pub(crate) micros: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) retries: u32,
}

/// What one worker has counted.
#[derive(Debug, Default)]
pub(crate) struct Shard {
    series: HashMap<SeriesKey, Series>,
    retries: BTreeMap<LabelId, u64>,
    rejected: BTreeMap<&'static str, u64>,
}

impl Shard {
    /// Counts a request.
    pub(crate) fn observe(&mut self, sample: &Sample<'_>, now: u64) {
        if self.series.len() > SERIES_MAX && !self.series.contains_key(&sample.key) {
            self.series
                .retain(|_, series| series.used.saturating_add(SERIES_KEPT_MILLIS) > now);
        }
        let series = self.series.entry(sample.key).or_default();
        series.count(method_label(sample.method), sample.status, 1);
        let seconds = sample.micros as f64 / 1e6;
        let bucket = BUCKETS
            .iter()
            .position(|(bound, _)| seconds <= *bound)
            .unwrap_or(BUCKETS.len());
        series.buckets[bucket] += 1;
        series.sum_micros += sample.micros;
        series.bytes_in += sample.bytes_in;
        series.bytes_out += sample.bytes_out;
        series.used = now;
        if sample.retries > 0 {
            *self.retries.entry(sample.key.service).or_default() += u64::from(sample.retries);
        }
    }

    /// Counts a refused request or connection.
    pub(crate) fn reject(&mut self, reason: &'static str) {
        *self.rejected.entry(reason).or_default() += 1;
    }
}

/// Methods as a label; what clients invent is `other`.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}

/// What is read at the moment of a scrape.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    pub(crate) project: Arc<str>,
    pub(crate) generation: u64,
    pub(crate) connections: u64,
    pub(crate) log_lines_dropped: u64,
    /// Service-independent: replica, requests under way, whether it gets requests.
    pub(crate) endpoints: Vec<(Arc<str>, u64, bool)>,
}

/// Writes everything, the series of all shards summed.
pub(crate) fn render(shards: &[Arc<Mutex<Shard>>], labels: &Labels, gauges: &Gauges) -> String {
    let mut sum = Shard::default();
    for shard in shards {
        let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, series) in &shard.series {
            sum.series.entry(*key).or_default().add(series);
        }
        for (service, count) in &shard.retries {
            *sum.retries.entry(*service).or_default() += count;
        }
        for (reason, count) in &shard.rejected {
            *sum.rejected.entry(reason).or_default() += count;
        }
    }
    let project = escaped(&gauges.project);
    let mut series: Vec<_> = sum
        .series
        .iter()
        .map(|(key, series)| (named(*key, labels), series))
        .collect();
    series.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut page = Page {
        text: String::with_capacity(4096),
        project,
    };
    page.requests(&series);
    page.durations(&series);
    page.family(
        "wharf_ingress_received_bytes_total",
        "counter",
        "Bytes of request bodies.",
    );
    for (key, series) in &series {
        page.line("wharf_ingress_received_bytes_total", key, series.bytes_in);
    }
    page.family(
        "wharf_ingress_sent_bytes_total",
        "counter",
        "Bytes of response bodies.",
    );
    for (key, series) in &series {
        page.line("wharf_ingress_sent_bytes_total", key, series.bytes_out);
    }
    page.family(
        "wharf_ingress_retries_total",
        "counter",
        "Requests sent again to another replica.",
    );
    for (service, count) in &sum.retries {
        let key = format!("service=\"{}\"", escaped(&labels.name(*service)));
        page.line("wharf_ingress_retries_total", &key, *count);
    }
    page.family(
        "wharf_ingress_rejected_total",
        "counter",
        "Requests and connections that the ingress refused.",
    );
    for (reason, count) in &sum.rejected {
        page.line(
            "wharf_ingress_rejected_total",
            &format!("reason=\"{reason}\""),
            *count,
        );
    }
    page.gauges(gauges);
    page.text
}

fn named(key: SeriesKey, labels: &Labels) -> String {
    let name = |id| escaped(&labels.name(id));
    format!(
        "route=\"{}\",service=\"{}\",release=\"{}\"",
        name(key.route),
        name(key.service),
        name(key.release)
    )
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

struct Page {
    text: String,
    project: String,
}

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.push(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    fn line(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let comma = if labels.is_empty() { "" } else { "," };
        let project = std::mem::take(&mut self.project);
        self.push(format_args!(
            "{name}{{project=\"{project}\"{comma}{labels}}} {value}\n"
        ));
        self.project = project;
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        self.text
            .write_fmt(text)
            .expect("writing to a String succeeds");
    }

    fn requests(&mut self, series: &[(String, &Series)]) {
        self.family(
            "wharf_ingress_requests_total",
            "counter",
            "Requests answered.",
        );
        for (key, series) in series {
            let mut counts = series.counts.clone();
            counts.sort_unstable();
            for (method, status, count) in counts {
                let key = format!("{key},code=\"{status}\",method=\"{method}\"");
                self.line("wharf_ingress_requests_total", &key, count);
            }
        }
    }

    fn durations(&mut self, series: &[(String, &Series)]) {
        const NAME: &str = "wharf_ingress_request_duration_seconds";
        self.family(
            NAME,
            "histogram",
            "From a request's head to the end of its response.",
        );
        for (key, series) in series {
            let mut count = 0;
            let bounds = BUCKETS.iter().map(|(_, text)| *text).chain(["+Inf"]);
            for (bound, bucket) in bounds.zip(&series.buckets) {
                count += bucket;
                self.line(
                    &format!("{NAME}_bucket"),
                    &format!("{key},le=\"{bound}\""),
                    count,
                );
            }
            self.line(&format!("{NAME}_sum"), key, series.sum_micros as f64 / 1e6);
            self.line(&format!("{NAME}_count"), key, count);
        }
    }

    fn gauges(&mut self, gauges: &Gauges) {
        self.family(
            "wharf_ingress_connections",
            "gauge",
            "Client connections that are open.",
        );
        self.line("wharf_ingress_connections", "", gauges.connections);
        self.family(
            "wharf_ingress_config_generation",
            "gauge",
            "The generation that is served.",
        );
        self.line("wharf_ingress_config_generation", "", gauges.generation);
        self.family(
            "wharf_ingress_uptime_seconds",
            "gauge",
            "Since this ingress began.",
        );
        self.line(
            "wharf_ingress_uptime_seconds",
            "",
            monotonic::millis() / 1000,
        );
        self.family(
            "wharf_ingress_access_log_dropped_total",
            "counter",
            "Log lines that the disk was too slow for.",
        );
        self.line(
            "wharf_ingress_access_log_dropped_total",
            "",
            gauges.log_lines_dropped,
        );
        self.family(
            "wharf_ingress_in_flight",
            "gauge",
            "Requests, streams and WebSockets under way at a replica.",
        );
        for (replica, in_flight, _) in &gauges.endpoints {
            self.line(
                "wharf_ingress_in_flight",
                &format!("replica=\"{}\"", escaped(replica)),
                in_flight,
            );
        }
        self.family(
            "wharf_ingress_healthy",
            "gauge",
            "Whether a replica may get requests.",
        );
        for (replica, _, healthy) in &gauges.endpoints {
            self.line(
                "wharf_ingress_healthy",
                &format!("replica=\"{}\"", escaped(replica)),
                u8::from(*healthy),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_summed() {
        let labels = Labels::default();
        let key = SeriesKey {
            route: labels.id("r"),
            service: labels.id("a\"b"),
            release: labels.id("r1"),
        };
        let shards = [Arc::<Mutex<Shard>>::default(), Arc::default()];
        for (shard, micros) in shards.iter().zip([900, 3_000_000]) {
            let get = &Method::GET;
            let sample = Sample {
                key,
                method: get,
                status: 200,
                micros,
                bytes_in: 1,
                bytes_out: 2,
                retries: 1,
            };
            shard.lock().expect("not poisoned").observe(&sample, 0);
        }
        let text = render(
            &shards,
            &labels,
            &Gauges {
                project: "p".into(),
                ..Gauges::default()
            },
        );
        let labels = "project=\"p\",route=\"r\",service=\"a\\\"b\",release=\"r1\"";
        for line in [
            format!("wharf_ingress_requests_total{{{labels},code=\"200\",method=\"GET\"}} 2\n"),
            format!("wharf_ingress_request_duration_seconds_bucket{{{labels},le=\"0.001\"}} 1\n"),
            format!("wharf_ingress_request_duration_seconds_bucket{{{labels},le=\"+Inf\"}} 2\n"),
            format!("wharf_ingress_request_duration_seconds_sum{{{labels}}} 3.0009\n"),
            format!("wharf_ingress_sent_bytes_total{{{labels}}} 4\n"),
            "wharf_ingress_retries_total{project=\"p\",service=\"a\\\"b\"} 2\n".to_owned(),
        ] {
            assert!(text.contains(&line), "{line} is missing in\n{text}");
        }
    }
}
