//! From tree to text: on one line in Prometheus's canonical form, and on several.

mod pretty;
#[cfg(test)]
mod tests;

use std::fmt;

pub use pretty::pretty;

use crate::ast::{Aggregate, AtTime, Binary, Cardinality, Expr, Number, Selector, Shift, Subquery};
use crate::parse::as_duration;
use crate::text::{format_duration, format_plain, is_plain_label, quote};

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::String(text) => f.write_str(&text.quoted()),
            Self::Selector(selector) => {
                write!(f, "{}{}", Bare(selector), selector.shift)
            }
            Self::Range(range) => {
                let duration = format_duration(range.range);
                let selector = &range.selector;
                write!(f, "{}[{duration}]{}", Bare(selector), selector.shift)
            }
            Self::Subquery(subquery) => write!(f, "{}{}", subquery.expr, suffix(subquery)),
            Self::Aggregate(aggregate) => {
                write!(f, "{}(", aggregate_head(aggregate))?;
                if let Some(parameter) = &aggregate.parameter {
                    write!(f, "{parameter}, ")?;
                }
                write!(f, "{})", aggregate.expr)
            }
            Self::Call(call) => {
                write!(f, "{}(", call.function.name)?;
                for (index, arg) in call.args.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{arg}")?;
                }
                f.write_str(")")
            }
            Self::Binary(binary) => {
                let operator = operator(binary);
                write!(f, "{} {operator} {}", binary.lhs, binary.rhs)
            }
            Self::Unary(unary) => {
                write!(f, "{}{}", if unary.negate { '-' } else { '+' }, unary.expr)
            }
            Self::Paren(paren) => write!(f, "({})", paren.expr),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_duration {
            f.write_str(&as_duration(self.value))
        } else {
            f.write_str(&format_plain(self.value))
        }
    }
}

impl fmt::Display for Shift {
    /// With a blank before each part.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.moment {
            Some(AtTime::Millis(millis)) => {
                let sign = if millis < 0 { "-" } else { "" };
                let millis = millis.unsigned_abs();
                write!(f, " @ {sign}{}.{:03}", millis / 1000, millis % 1000)?;
            }
            Some(AtTime::Start) => f.write_str(" @ start()")?,
            Some(AtTime::End) => f.write_str(" @ end()")?,
            None => {}
        }
        if self.offset != 0 {
            write!(f, " offset {}", format_duration(self.offset))?;
        }
        Ok(())
    }
}

/// A selector without its shift.
struct Bare<'a>(&'a Selector);

impl fmt::Display for Bare<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(selector) = self;
        let named = usize::from(selector.name.is_some());
        let count = selector.matchers.len().saturating_sub(named);
        let mut matchers: Vec<String> = selector.matchers[..count]
            .iter()
            .map(|m| format!("{}{}{}", label(&m.name), m.op.as_str(), quote(&m.value)))
            .collect();
        matchers.sort_unstable();
        f.write_str(selector.name.as_deref().unwrap_or_default())?;
        if !matchers.is_empty() {
            write!(f, "{{{}}}", matchers.join(","))?;
        }
        Ok(())
    }
}

fn label(name: &str) -> String {
    if is_plain_label(name) {
        name.to_owned()
    } else {
        quote(name)
    }
}

fn labels(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| label(name)).collect();
    names.join(", ")
}

fn suffix(subquery: &Subquery) -> String {
    let range = format_duration(subquery.range);
    let step = subquery.step.map(format_duration).unwrap_or_default();
    format!("[{range}:{step}]{}", subquery.shift)
}

fn aggregate_head(aggregate: &Aggregate) -> String {
    let op = aggregate.op.as_str();
    let names = labels(&aggregate.grouping);
    if aggregate.without {
        format!("{op} without ({names}) ")
    } else if aggregate.grouping.is_empty() {
        op.to_owned()
    } else {
        format!("{op} by ({names}) ")
    }
}

/// The operator with all its modifiers.
fn operator(binary: &Binary) -> String {
    let mut out = binary.op.as_str().to_owned();
    if binary.return_bool {
        out.push_str(" bool");
    }
    let Some(matching) = &binary.matching else {
        return out;
    };
    let group = match matching.cardinality {
        Cardinality::ManyToOne => Some("group_left"),
        Cardinality::OneToMany => Some("group_right"),
        Cardinality::OneToOne | Cardinality::ManyToMany => None,
    };
    if matching.on || !matching.labels.is_empty() || group.is_some() {
        let word = if matching.on { "on" } else { "ignoring" };
        out += &format!(" {word} ({})", labels(&matching.labels));
    }
    if let Some(group) = group {
        out += &format!(" {group} ({})", labels(&matching.include));
    }
    out
}
