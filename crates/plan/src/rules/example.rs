//! When an alert fires and when it does not, as data: the input of rule unit tests.
//!
//! Values stand in promtool's notation (`0+10x15`: from 0 by 10, 15 times), one a minute.

use std::collections::BTreeMap;
use std::time::Duration;

use wharf_base::units::Percent;

/// One case.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// What is so: `one request in ten fails`.
    pub when: &'static str,
    /// What there is.
    pub series: Vec<Series>,
    /// When it is looked at.
    pub at: Duration,
    /// What fires then; empty: nothing.
    pub fires: Vec<Firing>,
}

/// One series, a value a minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// Name and labels.
    pub selector: String,
    /// `0+10x15`
    pub values: String,
}

/// One alert that fires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firing {
    /// The labels of the expression's result, without those of the rule.
    pub labels: BTreeMap<String, String>,
    /// The result's value, as the annotations write it.
    pub value: String,
}

impl Firing {
    /// A text of the rule with its places filled in.
    #[must_use]
    pub fn filled(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{ ") {
            out.push_str(before);
            let (expression, behind) = after.split_once(" }}").unwrap_or((after, ""));
            match expression.strip_prefix("$labels.") {
                Some(label) => out.push_str(self.labels.get(label).map_or("", String::as_str)),
                None => out.push_str(&self.value),
            }
            rest = behind;
        }
        out.push_str(rest);
        out
    }
}

impl Example {
    pub(super) fn fires(when: &'static str, minutes: u64) -> Self {
        Self {
            when,
            series: vec![],
            at: Duration::from_secs(minutes * 60),
            fires: vec![],
        }
    }

    /// The same shape: nothing fires until [`Example::so`] says what does.
    pub(super) fn quiet(when: &'static str, minutes: u64) -> Self {
        Self::fires(when, minutes)
    }

    pub(super) fn given(mut self, selector: impl Into<String>, values: impl Into<String>) -> Self {
        self.series.push(Series {
            selector: selector.into(),
            values: values.into(),
        });
        self
    }

    pub(super) fn so(mut self, labels: &[(&str, &str)], value: impl Into<String>) -> Self {
        self.fires.push(Firing {
            labels: labels
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            value: value.into(),
        });
        self
    }
}

/// A share well above `threshold`: half of the way to all.
pub(super) fn above(threshold: Percent) -> Percent {
    Percent {
        thousandths: u32::midpoint(threshold.thousandths, 100_000),
    }
}

/// A share well below `threshold`: half of it.
pub(super) fn below(threshold: Percent) -> Percent {
    Percent {
        thousandths: threshold.thousandths / 2,
    }
}

/// A fraction as `humanizePercentage` writes it.
pub(super) fn percentage(fraction: f64) -> String {
    format!("{}%", significant(fraction * 100.0))
}

/// Seconds as `humanizeDuration` writes them, up to an hour.
pub(super) fn duration(seconds: f64) -> String {
    if seconds >= 60.0 {
        let whole = seconds.floor();
        let minutes = (whole / 60.0).floor();
        return format!("{minutes}m {}s", whole - minutes * 60.0);
    }
    if seconds >= 1.0 {
        return format!("{}s", significant(seconds));
    }
    format!("{}ms", significant(seconds * 1000.0))
}

/// Go's `%.4g` for numbers from 0.0001 to 9999.
fn significant(number: f64) -> String {
    let digits = if number.abs() < 1.0 {
        4
    } else {
        (3 - number.abs().log10().floor() as i32).max(0) as usize
    };
    let text = format!("{number:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}
