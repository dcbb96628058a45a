//! A trace for the terminal: its spans as a tree with bars on one axis of time, and the log lines of the request where they belong.
//!
//! Pure: spans, lines and a width in, lines out. What comes from outside is shown without control characters.

use std::collections::{BTreeMap, BTreeSet};

use wharf_process::log::structured;
use wharf_signal::{Span, SpanId, SpanStatus};

use crate::output::{Style, paint};

/// Below this nothing can be drawn.
const WIDTH_MIN: usize = 60;
/// The part of the width that names may take, in hundredths.
const NAMES_PART: usize = 45;
/// Deeper spans are drawn as deep as this.
const DEPTH_SHOWN: usize = 20;
/// `1234.5 ms`.
const DURATION_WIDTH: usize = 10;

/// A line of a log, of the request that the trace is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogLine {
    /// Nanoseconds since the Unix epoch.
    pub(crate) nanos: i64,
    /// Who wrote it; empty: unknown.
    pub(crate) service: String,
    pub(crate) replica: String,
    pub(crate) text: String,
}

/// A span in its place.
pub(crate) struct Placed<'a> {
    pub(crate) span: &'a Span,
    pub(crate) depth: usize,
    /// Lines that were written meanwhile, by time.
    pub(crate) lines: Vec<&'a LogLine>,
}

/// Spans in the order of a tree, each with its lines.
pub(crate) fn place<'a>(spans: &'a [Span], lines: &'a [LogLine]) -> Vec<Placed<'a>> {
    let mut placed = tree(spans);
    let mut sorted: Vec<&LogLine> = lines.iter().collect();
    sorted.sort_by_key(|line| line.nanos);
    for line in sorted {
        if let Some(at) = home(&placed, line) {
            placed[at].lines.push(line);
        }
    }
    placed
}

/// The trace in lines of at most `width` characters.
pub(crate) fn waterfall(
    spans: &[Span],
    lines: &[LogLine],
    width: usize,
    color: bool,
) -> Vec<String> {
    let width = width.max(WIDTH_MIN);
    let placed = place(spans, lines);
    let Some(start) = spans.iter().map(|span| span.start_nanos).min() else {
        return lines
            .iter()
            .map(|line| log_row(line, line.nanos, 0, width, color))
            .collect();
    };
    let end = spans
        .iter()
        .map(|span| span.end_nanos)
        .max()
        .unwrap_or(start);
    let total = end.abs_diff(start);
    let longest = placed.iter().map(|row| label(row).chars().count()).max();
    let names = longest.unwrap_or_default().min(width * NAMES_PART / 100);
    let bars = width - names - DURATION_WIDTH - 2;
    let mut out = vec![];
    for row in &placed {
        let span = row.span;
        let duration = span.end_nanos.abs_diff(span.start_nanos);
        let name = fit(&label(row), names);
        let name = format!("{name}{}", " ".repeat(names - name.chars().count()));
        let bar = bar(span.start_nanos.abs_diff(start), duration, total, bars);
        let failed = span.status == SpanStatus::Error;
        let style = if failed { Style::Bad } else { Style::Good };
        out.push(format!(
            "{name} {} {:>DURATION_WIDTH$}",
            paint(&bar, style, color),
            length(duration)
        ));
        let deeper = row.depth.min(DEPTH_SHOWN) * 2 + 2;
        if failed {
            let why = if span.message.is_empty() {
                "error".to_owned()
            } else {
                format!("error: {}", clean(&span.message))
            };
            let text = fit(&format!("{}{why}", " ".repeat(deeper)), width);
            out.push(paint(&text, Style::Bad, color));
        }
        for line in &row.lines {
            out.push(log_row(line, start, deeper, width, color));
        }
    }
    out
}

/// Time as people read it, with three or four digits.
pub(crate) fn length(nanos: u64) -> String {
    // What is lost of the number is never shown.
    let nanos = nanos as f64;
    let (number, unit) = match nanos {
        n if n < 1e3 => (n, "ns"),
        n if n < 1e6 => (n / 1e3, "µs"),
        n if n < 1e9 => (n / 1e6, "ms"),
        n => (n / 1e9, "s"),
    };
    let digits = if unit == "ns" || number >= 100.0 {
        0
    } else if number >= 10.0 {
        1
    } else {
        2
    };
    format!("{number:.digits$} {unit}")
}

/// Roots and children by their start, the parents first.
fn tree(spans: &[Span]) -> Vec<Placed<'_>> {
    let mut order: Vec<usize> = (0..spans.len()).collect();
    order.sort_by_key(|at| {
        (
            spans[*at].start_nanos,
            std::cmp::Reverse(spans[*at].end_nanos),
        )
    });
    let ids: BTreeSet<SpanId> = spans.iter().map(|span| span.id).collect();
    let mut children: BTreeMap<SpanId, Vec<usize>> = BTreeMap::new();
    let mut roots = vec![];
    for at in &order {
        let span = &spans[*at];
        if ids.contains(&span.parent) && span.parent != span.id {
            children.entry(span.parent).or_default().push(*at);
        } else {
            roots.push(*at);
        }
    }
    let mut placed = vec![];
    let mut seen = BTreeSet::new();
    // Spans in a circle have no root: each that is left begins a tree.
    for root in roots.into_iter().chain(order) {
        let mut stack = vec![(root, 0)];
        while let Some((at, depth)) = stack.pop() {
            if !seen.insert(at) {
                continue;
            }
            let span = &spans[at];
            placed.push(Placed {
                span,
                depth,
                lines: vec![],
            });
            let below = children.get(&span.id).into_iter().flatten();
            stack.extend(below.rev().map(|child| (*child, depth + 1)));
        }
    }
    placed
}

/// Where a line belongs: to its service's innermost span of that time, else to the nearest; to any span if its service has none.
fn home(placed: &[Placed<'_>], line: &LogLine) -> Option<usize> {
    let away = |span: &Span| {
        if line.nanos < span.start_nanos {
            span.start_nanos.abs_diff(line.nanos)
        } else if line.nanos > span.end_nanos {
            line.nanos.abs_diff(span.end_nanos)
        } else {
            0
        }
    };
    let own = placed.iter().any(|row| row.span.service == line.service);
    placed
        .iter()
        .enumerate()
        .filter(|(_, row)| !own || row.span.service == line.service)
        .min_by_key(|(_, row)| (away(row.span), std::cmp::Reverse(row.depth)))
        .map(|(at, _)| at)
}

fn label(row: &Placed<'_>) -> String {
    let indent = " ".repeat(row.depth.min(DEPTH_SHOWN) * 2);
    format!(
        "{indent}{} {}",
        clean(&row.span.service),
        clean(&row.span.name)
    )
}

fn bar(offset: u64, duration: u64, total: u64, width: usize) -> String {
    let cells = |nanos: u64| {
        let cells = u128::from(nanos) * width as u128 / u128::from(total.max(1));
        usize::try_from(cells).unwrap_or(width).min(width)
    };
    // What is too short to be seen is one cell, also at the end.
    let from = cells(offset).min(width - 1);
    let to = cells(offset.saturating_add(duration)).max(from + 1);
    format!(
        "{}{}{}",
        " ".repeat(from),
        "█".repeat(to - from),
        " ".repeat(width - to)
    )
}

fn log_row(line: &LogLine, start: i64, indent: usize, width: usize, color: bool) -> String {
    let sign = if line.nanos < start { "-" } else { "+" };
    let after = length(line.nanos.abs_diff(start));
    let who = if line.replica.is_empty() {
        &line.service
    } else {
        &line.replica
    };
    let text = format!(
        "{}· {sign}{after} {} {}",
        " ".repeat(indent),
        clean(who),
        clean(&readable(&line.text))
    );
    paint(&fit(&text, width), Style::Faint, color)
}

/// Cut to a width, with a mark that it is.
fn fit(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// A line for people: of a JSON object its level and message, then its other fields; what is known already is left out.
fn readable(text: &str) -> String {
    const KNOWN: [&str; 12] = [
        "time",
        "timestamp",
        "ts",
        "level",
        "severity",
        "message",
        "msg",
        "event",
        "trace_id",
        "span_id",
        "parent_span_id",
        "sampled",
    ];
    let Some(found) = structured(text) else {
        return text.to_owned();
    };
    let head = [found.level, found.message];
    let mut parts: Vec<String> = head.into_iter().flatten().collect();
    let others = found
        .fields
        .iter()
        .filter(|(name, _)| !KNOWN.contains(&name.as_str()));
    parts.extend(others.map(|(name, value)| match value.as_str() {
        Some(text) => format!("{name}={text}"),
        None => format!("{name}={value}"),
    }));
    parts.join(" ")
}

/// Without what a terminal would obey.
fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use wharf_signal::{SpanKind, TraceId};

    use super::*;

    fn span(id: u64, parent: u64, service: &str, name: &str, from: i64, to: i64) -> Span {
        Span {
            trace: TraceId(1),
            id: SpanId(id),
            parent: SpanId(parent),
            name: name.to_owned(),
            service: service.to_owned(),
            kind: SpanKind::Server,
            start_nanos: from * 1_000_000,
            end_nanos: to * 1_000_000,
            status: SpanStatus::Unset,
            message: String::new(),
            attributes: vec![],
            resource: vec![],
            scope: String::new(),
            events: vec![],
            links: vec![],
        }
    }

    fn line(service: &str, at: i64, text: &str) -> LogLine {
        LogLine {
            nanos: at * 1_000_000,
            service: service.to_owned(),
            replica: format!("{service}-1"),
            text: text.to_owned(),
        }
    }

    #[test]
    fn spans_and_lines_stand_where_they_belong() {
        let mut failed = span(3, 2, "db", "SELECT", 50, 60);
        failed.status = SpanStatus::Error;
        failed.message = "time\x1b[31mout".to_owned();
        let spans = [
            failed,
            span(1, 0, "ingress", "GET /items", 0, 100),
            span(2, 1, "web", "list", 10, 90),
        ];
        let lines = [line("web", 20, "hello"), line("cron", 55, "elsewhere")];
        let drawn = waterfall(&spans, &lines, 60, false);
        let expected = [
            "ingress GET /items ██████████████████████████████     100 ms",
            "  web list            ████████████████████████        80.0 ms",
            "    · +20.0 ms web-1 hello",
            "    db SELECT                     ███                 10.0 ms",
            "      error: time [31mout",
            "      · +55.0 ms cron-1 elsewhere",
        ];
        assert_eq!(drawn.len(), expected.len(), "{drawn:#?}");
        for (drawn, expected) in drawn.iter().zip(expected) {
            let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            let shape = |text: &str| squeezed(&text.replace('█', ""));
            assert_eq!(shape(drawn), shape(expected), "{drawn:?}");
            assert!(drawn.chars().count() <= 60, "{drawn:?}");
        }
        // The bars share one axis.
        let at = |text: &str| text.chars().position(|c| c == '█').expect("a bar");
        assert!(at(&drawn[0]) < at(&drawn[1]) && at(&drawn[1]) < at(&drawn[3]));
    }

    #[test]
    fn circles_orphans_and_absurd_times_are_drawn_too() {
        let mut absurd = span(7, 99, "x", "y", 0, 0);
        absurd.start_nanos = i64::MIN;
        absurd.end_nanos = i64::MAX;
        let spans = [
            span(1, 2, "a", "a", 0, 1),
            span(2, 1, "b", "b", 0, 1),
            span(3, 3, "c", "c", 0, 1),
            absurd,
        ];
        let drawn = waterfall(&spans, &[line("z", 1, &"long ".repeat(100))], 10, true);
        assert_eq!(drawn.len(), 5, "{drawn:#?}");
        assert_eq!(
            waterfall(&[], &[line("z", 1, "x")], 80, false),
            ["· +0 ns z-1 x"]
        );
        assert!(waterfall(&[], &[], 80, false).is_empty());
    }

    #[test]
    fn durations_have_few_digits() {
        for (nanos, expected) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_500, "1.50 µs"),
            (45_600_000, "45.6 ms"),
            (123_400_000, "123 ms"),
            (61_000_000_000, "61.0 s"),
        ] {
            assert_eq!(length(nanos), expected);
        }
    }
}
