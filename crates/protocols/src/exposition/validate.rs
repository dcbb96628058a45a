//! Whether an OpenMetrics exposition is one: what the specification asks beyond the way in which lines are written.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::ControlFlow;

use wharf_signal::{Labels, MetricKind, NAME};

use super::parse::parse_by;
use super::series::Rules;
use super::{Item, ParseError, SampleLine, line_after, parse_float};

/// Judges an OpenMetrics exposition: names and metadata of families, their order and grouping, and what each type asks of its
/// samples. Takes memory for every series.
///
/// # Errors
/// The first thing that is wrong.
pub fn validate(content: &[u8]) -> Result<(), ParseError> {
    let mut judge = Judge {
        names: HashSet::new(),
        family: None,
    };
    let mut wrong = None;
    parse_by(content, Rules::Strict, &mut |item| {
        // Lines are counted only for what is wrong.
        let before = match &item {
            Item::Sample(sample) => Some(sample.before),
            _ => None,
        };
        match judge.item(item) {
            Ok(()) => ControlFlow::Continue(()),
            Err(problem) => {
                wrong = Some((before.map_or(0, line_after), problem));
                ControlFlow::Break(())
            }
        }
    })?;
    match wrong {
        None => Ok(()),
        Some((line, Problem::Line(error))) => Err(ParseError {
            line: line.max(error.line),
            ..error
        }),
        Some((line, Problem::Rule { expected, found })) => Err(ParseError {
            line: match line {
                0 => line_of(content, &found),
                line => line,
            },
            expected,
            found,
        }),
    }
}

/// The last line that names a family: its metadata are what is wrong with it.
fn line_of(content: &[u8], family: &str) -> usize {
    let finder = memchr::memmem::FinderRev::new(family);
    finder
        .rfind(content)
        .map_or(1, |at| line_after(&content[..at]))
}

enum Problem {
    Line(ParseError),
    Rule {
        expected: Cow<'static, str>,
        found: String,
    },
}

fn rule(holds: bool, expected: &'static str, found: &str) -> Result<(), Problem> {
    if holds {
        return Ok(());
    }
    Err(Problem::Rule {
        expected: expected.into(),
        found: found.to_owned(),
    })
}

struct Judge {
    /// Every name that a family claims.
    names: HashSet<String>,
    family: Option<Family>,
}

#[derive(Default)]
struct Family {
    name: String,
    kind: Option<MetricKind>,
    unit: Option<String>,
    help: bool,
    samples: bool,
    group: Option<Group>,
    groups: HashSet<Labels>,
    buckets: Option<Buckets>,
}

/// The samples of one metric that follow one another.
struct Group {
    labels: Labels,
    t: Option<i64>,
}

impl Family {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    fn suffixes(&self) -> &'static [&'static str] {
        match self.kind {
            Some(MetricKind::Counter) => &["_total", "_created"],
            Some(MetricKind::Summary) => &["", "_count", "_sum", "_created"],
            Some(MetricKind::Histogram) => &["_count", "_sum", "_bucket", "_created"],
            Some(MetricKind::GaugeHistogram) => &["_gcount", "_gsum", "_bucket"],
            Some(MetricKind::Info) => &["_info"],
            _ => &[""],
        }
    }

    fn is_histogram(&self) -> bool {
        matches!(
            self.kind,
            Some(MetricKind::Histogram | MetricKind::GaugeHistogram)
        )
    }
}

impl Judge {
    fn item(&mut self, item: Item<'_>) -> Result<(), Problem> {
        match item {
            Item::Help { family, .. } => {
                let about = self.about(family)?;
                rule(!about.help, "one HELP of a family", family)?;
                about.help = true;
            }
            Item::Type { family, kind } => {
                let about = self.about(family)?;
                rule(about.kind.is_none(), "one TYPE of a family", family)?;
                about.kind = Some(kind);
            }
            Item::Unit { family, unit } => {
                let about = self.about(family)?;
                rule(about.unit.is_none(), "one UNIT of a family", family)?;
                about.unit = Some(unit.to_owned());
            }
            Item::Sample(sample) => self.sample(&sample)?,
            Item::Eof => self.close()?,
        }
        Ok(())
    }

    /// The family that a line of metadata is about.
    fn about(&mut self, name: &str) -> Result<&mut Family, Problem> {
        if self.family.as_ref().is_none_or(|f| f.name != name) {
            self.close()?;
        }
        let family = self.family.get_or_insert_with(|| Family::new(name));
        rule(!family.samples, "metadata before samples", name)?;
        Ok(family)
    }

    /// Ends a family.
    fn close(&mut self) -> Result<(), Problem> {
        let Some(mut family) = self.family.take() else {
            return Ok(());
        };
        let suffixes = family.suffixes().iter();
        let mut claimed: Vec<_> = suffixes.map(|s| format!("{}{s}", family.name)).collect();
        if !claimed.contains(&family.name) {
            claimed.push(family.name.clone());
        }
        for name in claimed {
            let new = self.names.insert(name);
            rule(
                new,
                "a family whose names no other one has, in one piece",
                &family.name,
            )?;
        }
        let unit = family.unit.as_deref().unwrap_or_default();
        let without = matches!(family.kind, Some(MetricKind::Info | MetricKind::StateSet));
        rule(
            unit.is_empty() || !without,
            "no unit of an info or stateset",
            &family.name,
        )?;
        match family.buckets.take() {
            Some(buckets) => buckets.close(&family.name),
            None => Ok(()),
        }
    }

    fn sample(&mut self, sample: &SampleLine<'_>) -> Result<(), Problem> {
        let labels = sample.labels_by(Rules::Strict).map_err(Problem::Line)?;
        let name = labels.name();
        let fits = |family: &Family| {
            let suffix = name.strip_prefix(family.name.as_str());
            suffix.is_some_and(|suffix| family.suffixes().contains(&suffix))
        };
        if !self.family.as_ref().is_some_and(fits) {
            self.close()?;
        }
        let family = self.family.get_or_insert_with(|| Family::new(name));
        family.samples = true;
        let suffix = name
            .strip_prefix(family.name.as_str())
            .unwrap_or_default()
            .to_owned();
        of_type(family, &suffix, &labels, sample)?;
        order(family, &suffix, &labels, sample)?;
        if family.is_histogram() {
            let group = family.group.as_ref().map(|group| (&group.labels, group.t));
            let (group, t) = group.unwrap_or((&labels, sample.t));
            let same = family.buckets.as_ref().is_some_and(|b| b.is_of(group, t));
            if !same {
                let next = Buckets::new(group.clone(), t);
                if let Some(buckets) = family.buckets.replace(next) {
                    buckets.close(&family.name)?;
                }
            }
            if let Some(buckets) = &mut family.buckets {
                buckets.add(&suffix, &labels, sample)?;
            }
        }
        Ok(())
    }
}

/// What its type asks of a sample.
fn of_type(
    family: &Family,
    suffix: &str,
    labels: &Labels,
    sample: &SampleLine<'_>,
) -> Result<(), Problem> {
    let line = sample.series;
    let value = sample.value;
    let kind = family.kind.unwrap_or_default();
    let counting = matches!(
        suffix,
        "_total" | "_sum" | "_count" | "_bucket" | "_gcount" | "_gsum"
    );
    rule(!counting || !value.is_nan(), "no NaN where counted", line)?;
    rule(
        !counting || suffix == "_gsum" || value >= 0.0,
        "no negative value where counted",
        line,
    )?;
    let whole = matches!(suffix, "_bucket" | "_count" | "_gcount");
    rule(!whole || value.fract() == 0.0, "a whole number", line)?;
    match kind {
        MetricKind::StateSet => {
            let state = labels.get(&family.name).is_some();
            rule(state, "a label named like the stateset", line)?;
            rule(value == 0.0 || value == 1.0, "0 or 1", line)?;
        }
        MetricKind::Info => rule(value == 1.0, "1", line)?,
        MetricKind::Summary if suffix.is_empty() => {
            let quantile = labels
                .get("quantile")
                .and_then(|q| parse_float(q.as_bytes()));
            let within = quantile.is_some_and(|q| (0.0..=1.0).contains(&q));
            rule(within, "a quantile from 0 to 1", line)?;
            // NaN: nothing was seen.
            let negative = value < 0.0;
            rule(!negative, "no negative quantile", line)?;
        }
        _ => {}
    }
    let allowed = match kind {
        MetricKind::Histogram | MetricKind::GaugeHistogram => suffix == "_bucket",
        MetricKind::Counter => suffix == "_total",
        _ => false,
    };
    let Some(exemplar) = &sample.exemplar else {
        return Ok(());
    };
    rule(allowed, "an exemplar only of a bucket or total", line)?;
    let length = |(name, value): (&str, &str)| name.chars().count() + value.chars().count();
    let length: usize = exemplar.labels.iter().map(length).sum();
    rule(length <= 128, "at most 128 characters in an exemplar", line)
}

/// Samples of one metric stand together, and their times do not go back.
fn order(
    family: &mut Family,
    suffix: &str,
    labels: &Labels,
    sample: &SampleLine<'_>,
) -> Result<(), Problem> {
    let kind = family.kind.unwrap_or_default();
    let own = match (kind, suffix) {
        (MetricKind::Summary, "") => "quantile",
        (MetricKind::StateSet, _) => family.name.as_str(),
        (MetricKind::Histogram | MetricKind::GaugeHistogram, "_bucket") => "le",
        _ => "",
    };
    // Infos have no labels of their own that could be told from others.
    let of = labels.only(|name| kind != MetricKind::Info && name != NAME && name != own);
    let line = sample.series;
    match &family.group {
        Some(group) if group.labels == of => {
            rule(
                group.t.is_some() == sample.t.is_some(),
                "a timestamp on all samples of a metric, or on none",
                line,
            )?;
            let back = group.t > sample.t && kind != MetricKind::Info;
            rule(!back, "timestamps that do not go back", line)?;
        }
        Some(_) => rule(
            !family.groups.contains(&of),
            "samples of a metric in one piece",
            line,
        )?,
        None => {}
    }
    if family.group.as_ref().is_none_or(|g| g.labels != of) {
        family.groups.insert(of.clone());
    }
    family.group = Some(Group {
        labels: of,
        t: sample.t,
    });
    Ok(())
}

/// One histogram at one time.
struct Buckets {
    of: Labels,
    t: Option<i64>,
    bound: Option<f64>,
    value: f64,
    count: Option<f64>,
    sum: bool,
    gsum: Option<f64>,
    negative: bool,
}

impl Buckets {
    fn new(of: Labels, t: Option<i64>) -> Self {
        Self {
            of,
            t,
            bound: None,
            value: 0.0,
            count: None,
            sum: false,
            gsum: None,
            negative: false,
        }
    }

    fn is_of(&self, group: &Labels, t: Option<i64>) -> bool {
        self.of == *group && self.t == t
    }

    fn add(
        &mut self,
        suffix: &str,
        labels: &Labels,
        sample: &SampleLine<'_>,
    ) -> Result<(), Problem> {
        let line = sample.series;
        match suffix {
            "_bucket" => {
                let le = labels.value("le");
                let bound = parse_float(le.as_bytes()).filter(|bound| !bound.is_nan());
                // The label's value as it was written: the spelling of infinity is not free.
                let infinite = sample.series.contains("le=\"+Inf\"");
                let Some(bound) = bound.filter(|b| *b != f64::INFINITY || infinite) else {
                    return rule(false, "a number or `+Inf` as `le`", line);
                };
                let rising = self.bound.is_none_or(|last| last < bound);
                rule(rising, "buckets in the order of `le`", line)?;
                rule(self.value <= sample.value, "cumulative buckets", line)?;
                self.bound = Some(bound);
                self.value = sample.value;
                self.negative |= bound < 0.0;
            }
            "_count" | "_gcount" => self.count = Some(sample.value),
            "_sum" => self.sum = true,
            "_gsum" => self.gsum = Some(sample.value),
            _ => {}
        }
        Ok(())
    }

    fn close(&self, family: &str) -> Result<(), Problem> {
        rule(
            self.bound == Some(f64::INFINITY),
            "a bucket with le=\"+Inf\"",
            family,
        )?;
        let same = self.count.is_none_or(|count| count == self.value);
        rule(same, "a count that is the last bucket's", family)?;
        let sum = self.sum || self.gsum.is_some();
        rule(
            sum == self.count.is_some(),
            "sum and count, or neither",
            family,
        )?;
        rule(
            !(self.negative && self.sum),
            "no sum where a bound is negative",
            family,
        )?;
        let negative = self.gsum.is_some_and(|sum| sum < 0.0);
        rule(
            self.negative || !negative,
            "no negative sum where no bound is",
            family,
        )
    }
}
