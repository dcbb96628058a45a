//! Series of a script: a metric and what values it has, one a step.

use wharf_signal::{Labels, MatchOp, STALE};

use crate::ast::Expr;
use crate::text::parse_number;

/// A value of a series, at one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Point {
    /// None.
    Nothing,
    /// A number; also the mark of staleness.
    Value(f64),
    /// A native histogram, whatever is in it.
    Histogram,
}

/// How many points a line may stand for.
const MAX_POINTS: usize = 1_000_000;

/// Reads a line such as `metric{label="value"} 1+1x10 _ stale`.
///
/// # Errors
/// It is none: what is wrong.
pub fn parse_series(line: &str) -> Result<(Labels, Vec<Point>), String> {
    let (metric, values) = line.split_at(end_of_metric(line));
    let labels = parse_metric(metric.trim())?;
    let mut points = Vec::new();
    let mut rest = values.trim();
    while !rest.is_empty() {
        let end = if rest.starts_with("{{") {
            end_of_histogram(rest)
        } else {
            rest.find(char::is_whitespace).unwrap_or(rest.len())
        };
        let (item, after) = rest.split_at(end);
        parse_item(item, &mut points).ok_or_else(|| format!("invalid values: {item}"))?;
        rest = after.trim_start();
    }
    Ok((labels, points))
}

/// Where the name and the braces end.
fn end_of_metric(line: &str) -> usize {
    let mut quote = None;
    let mut escaped = false;
    let mut depth = 0;
    for (index, c) in line.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(q) if c == '\\' && q != '`' => escaped = true,
            Some(q) if c == q => quote = None,
            Some(_) => {}
            None => match c {
                '"' | '\'' | '`' if depth > 0 => quote = Some(c),
                '{' => depth += 1,
                '}' => return index + 1,
                c if c.is_whitespace() && depth == 0 => {
                    // Braces may stand apart from the name.
                    let rest = line[index..].trim_start();
                    if rest.starts_with("{{") || !rest.starts_with('{') {
                        return index;
                    }
                }
                _ => {}
            },
        }
    }
    line.len()
}

/// Reads a metric such as `name{label="value"}`, also one without any label.
fn parse_metric(text: &str) -> Result<Labels, String> {
    if text == "{}" {
        return Ok(Labels::empty());
    }
    // Some matcher that never matches the empty set makes it a selector in every case.
    let end = text.rfind('}');
    let guarded = match end {
        Some(end) => {
            let head = text[..end].trim_end();
            let comma = if head.ends_with(['{', ',']) { "" } else { "," };
            format!("{head}{comma}guard=~\".+\"}}")
        }
        None => text.to_owned(),
    };
    let Ok(Expr::Selector(selector)) = crate::parse(&guarded) else {
        return Err(format!("invalid metric: {text}"));
    };
    let equal = selector.matchers.iter().filter(|m| m.op == MatchOp::Equal);
    Ok(Labels::from_pairs(
        equal.map(|m| (m.name.as_str(), m.value.as_str())),
    ))
}

/// Where a histogram, with what is added to it again and again, ends.
fn end_of_histogram(text: &str) -> usize {
    let mut end = 0;
    loop {
        let rest = &text[end..];
        end += rest.find("}}").map_or(rest.len(), |close| close + 2);
        let rest = &text[end..];
        if !(rest.starts_with("+{{") || rest.starts_with("-{{")) {
            return end + rest.find(char::is_whitespace).unwrap_or(rest.len());
        }
    }
}

fn parse_item(item: &str, points: &mut Vec<Point>) -> Option<()> {
    let (value, times) = match item.rsplit_once('x') {
        Some((value, times)) if times.bytes().all(|b| b.is_ascii_digit()) => {
            (value, Some(times.parse::<usize>().ok()?))
        }
        _ => (item, None),
    };
    let room = MAX_POINTS.checked_sub(points.len())?;
    let count = times.unwrap_or_default();
    if count >= room {
        return None;
    }
    if value == "_" {
        points.extend(std::iter::repeat_n(Point::Nothing, times.unwrap_or(1)));
        return Some(());
    }
    if value.starts_with("{{") {
        points.extend(std::iter::repeat_n(Point::Histogram, count + 1));
        return Some(());
    }
    let sign = value
        .char_indices()
        .skip(1)
        .find(|(index, c)| matches!(c, '+' | '-') && !value[..*index].ends_with(['e', 'E']));
    let (first, step) = match sign {
        Some((index, _)) => {
            let (first, step) = value.split_at(index);
            (signed(first)?, signed(step)?)
        }
        None => (signed(value)?, 0.0),
    };
    let mut value = first;
    for _ in 0..=count {
        points.push(Point::Value(value));
        if step != 0.0 {
            value += step;
        }
    }
    Some(())
}

/// A number with or without a sign, or the mark of staleness.
pub(super) fn signed(text: &str) -> Option<f64> {
    if text == "stale" {
        return Some(STALE);
    }
    if let Some(rest) = text.strip_prefix('-') {
        return parse_number(rest).map(|value| -value);
    }
    parse_number(text.strip_prefix('+').unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, labels: &str, values: &str) {
        let (found, points) = parse_series(line).expect("a series");
        assert_eq!(found.to_string(), labels);
        let points = points.iter().map(|p| match p {
            Point::Nothing => "_".to_owned(),
            Point::Value(v) => v.to_string(),
            Point::Histogram => "h".to_owned(),
        });
        assert_eq!(points.collect::<Vec<_>>().join(" "), values);
    }

    #[test]
    fn lines_are_read() {
        check("a 1 2x1 _x2 3+1x2", r#"{__name__="a"}"#, "1 2 2 _ _ 3 4 5");
        check(
            r#"{a="b c"} -1-1x1 NaN -Inf"#,
            r#"{a="b c"}"#,
            "-1 -2 NaN -inf",
        );
        check(
            r#"x{a="{"} {{schema:0 sum:1}}x1 1e3"#,
            r#"{__name__="x", a="{"}"#,
            "h h 1000",
        );
        check("{} 1", "{}", "1");
        check("x {{count:1}}", r#"{__name__="x"}"#, "h");
        check(r#"{"a.b", c="d"} 1"#, r#"{__name__="a.b", c="d"}"#, "1");
    }
}
