//! A query as text: the canonical form, which is read as the same query again.

use std::fmt::{self, Display, Formatter, Result};

use wharf_signal::Matcher;

use crate::ast::{
    BinaryExpr, Cardinality, Conversion, Expr, Extraction, Grouping, LabelFilter, LabelFormat,
    LabelPick, LineFilter, LineMatch, LogExpr, LogRange, MetricExpr, RangeAggregation, Stage,
    Unwrap, VectorAggregation,
};
use crate::text::{
    format_bytes, format_go_duration, format_number, format_plain, format_prometheus_duration,
    quote,
};

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Log(log) => log.fmt(f),
            Self::Metric(metric) => metric.fmt(f),
        }
    }
}

impl Display for LogExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str("{")?;
        list(f, &self.matchers, ", ", matcher)?;
        f.write_str("}")?;
        self.stages
            .iter()
            .try_for_each(|stage| write!(f, " {stage}"))
    }
}

impl Display for Stage {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Line(filter) => filter.fmt(f),
            Self::Json(fields) => {
                f.write_str("| json")?;
                extractions(f, fields)
            }
            Self::Logfmt(logfmt) => {
                f.write_str("| logfmt")?;
                if logfmt.strict {
                    f.write_str(" --strict")?;
                }
                if logfmt.keep_empty {
                    f.write_str(" --keep-empty")?;
                }
                extractions(f, &logfmt.fields)
            }
            Self::Regexp(regex) => write!(f, "| regexp {}", quote(regex)),
            Self::Pattern(pattern) => write!(f, "| pattern {}", quote(pattern)),
            Self::Unpack => f.write_str("| unpack"),
            Self::Decolorize => f.write_str("| decolorize"),
            Self::Label(filter) => write!(f, "| {filter}"),
            Self::LineFormat(template) => write!(f, "| line_format {}", quote(template)),
            Self::LabelFormat(formats) => {
                f.write_str("| label_format ")?;
                list(f, formats, ",", |f, format| match format {
                    LabelFormat::Rename { to, from } => write!(f, "{to}={from}"),
                    LabelFormat::Template { to, template } => {
                        write!(f, "{to}={}", quote(template))
                    }
                })
            }
            Self::Drop(picks) => {
                f.write_str("| drop ")?;
                list(f, picks, ",", pick)
            }
            Self::Keep(picks) => {
                f.write_str("| keep ")?;
                list(f, picks, ",", pick)
            }
        }
    }
}

impl Display for LineFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{} ", self.op.as_str())?;
        list(f, &self.any, " or ", |f, one| match one {
            LineMatch::Text(text) => f.write_str(&quote(text)),
            LineMatch::Ip(ip) => write!(f, "ip({})", quote(ip)),
        })
    }
}

impl Display for LabelFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::And(left, right) => write!(f, "( {left} , {right} )"),
            Self::Or(left, right) => write!(f, "( {left} or {right} )"),
            Self::Text(m) => matcher(f, m),
            Self::Number(name, op, value) => {
                write!(f, "{name}{}{}", op.as_str(), format_plain(*value))
            }
            Self::Duration(name, op, value) => {
                write!(f, "{name}{}{}", op.as_str(), format_go_duration(*value))
            }
            Self::Bytes(name, op, value) => {
                write!(f, "{name}{}{}", op.as_str(), format_bytes(*value))
            }
            Self::Ip(name, inside, ip) => {
                let op = if *inside { "=" } else { "!=" };
                write!(f, "{name}{op}ip({})", quote(ip))
            }
        }
    }
}

impl Display for MetricExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Range(range) => range.fmt(f),
            Self::Vector(vector) => vector.fmt(f),
            Self::Binary(binary) => binary.fmt(f),
            Self::Literal(value) => f.write_str(&format_number(*value)),
            Self::VectorLiteral(value) => write!(f, "vector({})", fixed(*value)),
            Self::LabelReplace(replace) => write!(
                f,
                "label_replace({},{},{},{},{})",
                replace.of,
                quote(&replace.to),
                quote(&replace.replacement),
                quote(&replace.from),
                quote(&replace.regex)
            ),
        }
    }
}

/// With six decimals, as Loki writes it, unless that would lose some.
fn fixed(value: f64) -> String {
    let six = format!("{value:.6}");
    if six.parse() == Ok(value) {
        six
    } else {
        format_plain(value)
    }
}

impl Display for RangeAggregation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}(", self.op.as_str())?;
        if let Some(parameter) = self.parameter {
            write!(f, "{},", format_plain(parameter))?;
        }
        write!(f, "{})", self.range)?;
        match &self.grouping {
            Some(grouping) => grouping.fmt(f),
            None => Ok(()),
        }
    }
}

impl Display for LogRange {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.log.fmt(f)?;
        if let Some(unwrap) = &self.unwrap {
            unwrap.fmt(f)?;
        }
        write!(f, "[{}]", format_prometheus_duration(self.range))?;
        if self.offset != 0 {
            write!(f, " offset {}", format_go_duration(self.offset))?;
        }
        Ok(())
    }
}

impl Display for Unwrap {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let function = match self.conversion {
            Conversion::Float => "",
            Conversion::Bytes => "bytes",
            Conversion::Duration => "duration",
            Conversion::DurationSeconds => "duration_seconds",
        };
        match function {
            "" => write!(f, " | unwrap {}", self.label)?,
            function => write!(f, " | unwrap {function}({})", self.label)?,
        }
        self.filters
            .iter()
            .try_for_each(|filter| write!(f, " | {filter}"))
    }
}

impl Display for VectorAggregation {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(self.op.as_str())?;
        if !self.grouping.is_single() {
            self.grouping.fmt(f)?;
        }
        f.write_str("(")?;
        if self.op.has_parameter() {
            write!(f, "{},", self.parameter)?;
        }
        write!(f, "{})", self.of)
    }
}

impl Display for Grouping {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let word = if self.without { "without" } else { "by" };
        write!(f, " {word} ({})", self.labels.join(","))
    }
}

impl Display for BinaryExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "({} {}", self.left, self.op.as_str())?;
        if self.bool {
            f.write_str(" bool")?;
        }
        let matching = &self.matching;
        let grouped = matching.card != Cardinality::OneToOne;
        if matching.on || grouped || !matching.labels.is_empty() {
            let word = if matching.on { "on" } else { "ignoring" };
            write!(f, " {word} ({})", matching.labels.join(","))?;
        }
        match matching.card {
            Cardinality::OneToOne => {}
            Cardinality::ManyToOne => f.write_str(" group_left")?,
            Cardinality::OneToMany => f.write_str(" group_right")?,
        }
        if grouped {
            // Always: without it, a parenthesis of the right side would be taken for it.
            write!(f, " ({})", matching.include.join(","))?;
        }
        write!(f, " {})", self.right)
    }
}

fn list<T>(
    f: &mut Formatter<'_>,
    items: &[T],
    separator: &str,
    write: impl Fn(&mut Formatter<'_>, &T) -> Result,
) -> Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(separator)?;
        }
        write(f, item)?;
    }
    Ok(())
}

fn extractions(f: &mut Formatter<'_>, fields: &[Extraction]) -> Result {
    if fields.is_empty() {
        return Ok(());
    }
    f.write_str(" ")?;
    list(f, fields, ",", |f, field| {
        write!(f, "{}={}", field.label, quote(&field.path))
    })
}

fn pick(f: &mut Formatter<'_>, pick: &LabelPick) -> fmt::Result {
    match pick {
        LabelPick::Name(name) => f.write_str(name),
        LabelPick::Matcher(m) => matcher(f, m),
    }
}

fn matcher(f: &mut Formatter<'_>, m: &Matcher) -> Result {
    write!(f, "{}{}{}", m.name, m.op.as_str(), quote(&m.value))
}
