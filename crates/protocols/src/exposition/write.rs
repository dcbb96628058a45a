//! Expositions of our own: `/metrics` of the engine, and `/federate`.

use std::fmt::Write;

use wharf_signal::{Exemplar, Labels, Metadata, MetricKind, NAME};

use super::number::{float_text, openmetrics_float_text};
use super::series::name_length;

/// Samples that belong together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Family {
    /// The family's name as Prometheus knows it: of a counter with `_total`, of a histogram without `_bucket`.
    pub name: String,
    /// What is said of it.
    pub metadata: Metadata,
    /// In the order in which they are written.
    pub samples: Vec<FamilySample>,
}

/// A sample of a family.
#[derive(Debug, Clone, PartialEq)]
pub struct FamilySample {
    /// With its name, `__name__`.
    pub labels: Labels,
    /// Its value.
    pub value: f64,
    /// Milliseconds since the Unix epoch, if it is of another time than now.
    pub t: Option<i64>,
    /// Only OpenMetrics has them.
    pub exemplar: Option<Exemplar>,
}

/// The families in Prometheus's text format 0.0.4. Kinds that it does not know become those that it does.
#[must_use]
pub fn write_text<'a>(families: impl IntoIterator<Item = &'a Family>) -> String {
    let mut text = String::new();
    for family in families {
        let name = name_text(&family.name);
        if !family.metadata.help.is_empty() {
            let help = escape(&family.metadata.help, false);
            line(&mut text, format_args!("# HELP {name} {help}"));
        }
        let kind = match family.metadata.kind {
            MetricKind::Unknown => "untyped",
            MetricKind::GaugeHistogram => "histogram",
            MetricKind::Info | MetricKind::StateSet => "gauge",
            known => known.as_str(),
        };
        line(&mut text, format_args!("# TYPE {name} {kind}"));
        for sample in &family.samples {
            series(&mut text, &sample.labels);
            text.push(' ');
            text.push_str(&float_text(sample.value));
            if let Some(t) = sample.t {
                append(&mut text, format_args!(" {t}"));
            }
            text.push('\n');
        }
    }
    text
}

/// The families in OpenMetrics 1.0. A counter's family is named without `_total`; one whose samples are named otherwise is of
/// unknown kind, as are families whose samples do not fit their kind's suffixes.
#[must_use]
pub fn write_openmetrics<'a>(families: impl IntoIterator<Item = &'a Family>) -> String {
    let mut text = String::new();
    for family in families {
        let (name, kind) = openmetrics_name(family);
        let metadata = &family.metadata;
        let shown = name_text(name);
        line(&mut text, format_args!("# TYPE {shown} {}", kind.as_str()));
        let of_unit = name
            .strip_suffix(metadata.unit.as_str())
            .is_some_and(|stem| stem.len() > 1 && stem.ends_with('_'));
        let without = matches!(kind, MetricKind::Info | MetricKind::StateSet);
        if of_unit && !without && !metadata.unit.is_empty() {
            line(&mut text, format_args!("# UNIT {shown} {}", metadata.unit));
        }
        if !metadata.help.is_empty() {
            let help = escape(&metadata.help, true);
            line(&mut text, format_args!("# HELP {shown} {help}"));
        }
        for sample in &family.samples {
            openmetrics_sample(&mut text, sample);
        }
    }
    text.push_str("# EOF\n");
    text
}

fn openmetrics_sample(text: &mut String, sample: &FamilySample) {
    series(text, &sample.labels);
    text.push(' ');
    text.push_str(&openmetrics_float_text(sample.value));
    if let Some(t) = sample.t {
        text.push(' ');
        seconds(text, t);
    }
    if let Some(exemplar) = &sample.exemplar {
        text.push_str(" # ");
        braces(text, &exemplar.labels, None);
        text.push(' ');
        text.push_str(&openmetrics_float_text(exemplar.value));
        if let Some(t) = exemplar.t {
            text.push(' ');
            seconds(text, t);
        }
    }
    text.push('\n');
}

/// The name under which OpenMetrics knows a family, and the kind that its samples' names allow.
fn openmetrics_name(family: &Family) -> (&str, MetricKind) {
    let full = family.name.as_str();
    let kind = family.metadata.kind;
    let (name, suffixes): (&str, &[&str]) = match kind {
        MetricKind::Counter => (
            full.strip_suffix("_total").unwrap_or(full),
            &["_total", "_created"],
        ),
        MetricKind::Info => (full.strip_suffix("_info").unwrap_or(full), &["_info"]),
        MetricKind::Histogram => (full, &["_bucket", "_count", "_sum", "_created"]),
        MetricKind::GaugeHistogram => (full, &["_bucket", "_gcount", "_gsum"]),
        MetricKind::Summary => (full, &["", "_count", "_sum", "_created"]),
        _ => (full, &[""]),
    };
    let fit = family.samples.iter().all(|sample| {
        let suffix = sample.labels.name().strip_prefix(name);
        suffix.is_some_and(|suffix| suffixes.contains(&suffix))
    });
    if fit {
        (name, kind)
    } else {
        (full, MetricKind::Unknown)
    }
}

/// Milliseconds as seconds with up to three decimals.
fn seconds(text: &mut String, t: i64) {
    let sign = if t < 0 { "-" } else { "" };
    let (whole, millis) = (t.unsigned_abs() / 1000, t.unsigned_abs() % 1000);
    append(text, format_args!("{sign}{whole}"));
    if millis > 0 {
        append(text, format_args!(".{millis:03}"));
    }
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    append(text, content);
    text.push('\n');
}

fn append(text: &mut String, content: std::fmt::Arguments<'_>) {
    text.write_fmt(content).expect("a string takes every text");
}

fn is_plain(name: &str, colon: bool) -> bool {
    !name.is_empty() && name_length(name.as_bytes(), colon) == name.len()
}

/// A name as metadata have it: in quotation marks if it needs them.
fn name_text(name: &str) -> String {
    if is_plain(name, true) {
        return name.to_owned();
    }
    format!("\"{}\"", escape(name, true))
}

fn series(text: &mut String, labels: &Labels) {
    let name = labels.name();
    let plain = is_plain(name, true);
    if plain {
        text.push_str(name);
    }
    let first = (!plain && !name.is_empty()).then_some(name);
    if first.is_some() || labels.iter().any(|(name, _)| name != NAME) {
        braces(text, labels, first);
    }
}

/// `{…}` of all labels but the name, behind `first`: a name that needs quotation marks.
fn braces(text: &mut String, labels: &Labels, first: Option<&str>) {
    text.push('{');
    let mut comma = "";
    if let Some(name) = first {
        append(text, format_args!("\"{}\"", escape(name, true)));
        comma = ",";
    }
    for (name, value) in labels {
        if name == NAME {
            continue;
        }
        text.push_str(comma);
        comma = ",";
        if is_plain(name, false) {
            text.push_str(name);
        } else {
            append(text, format_args!("\"{}\"", escape(name, true)));
        }
        append(text, format_args!("=\"{}\"", escape(value, true)));
    }
    text.push('}');
}

fn escape(text: &str, quoted: bool) -> std::borrow::Cow<'_, str> {
    let special = |c: char| c == '\\' || c == '\n' || (quoted && c == '"');
    if !text.contains(special) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '"' if quoted => escaped.push_str("\\\""),
            c => escaped.push(c),
        }
    }
    escaped.into()
}
