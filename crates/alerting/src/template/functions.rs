//! The functions of a template: Go's own, and those of Prometheus.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::format::{four, printf};
use super::value::{Map, Sample, Value};
use super::{Context, TEXT_MAX_BYTES, time};

/// Every function, by name.
const KNOWN: &[&str] = &[
    "and",
    "args",
    "eq",
    "externalURL",
    "first",
    "ge",
    "gt",
    "html",
    "humanize",
    "humanize1024",
    "humanizeDuration",
    "humanizePercentage",
    "humanizeTimestamp",
    "index",
    "label",
    "le",
    "len",
    "lt",
    "match",
    "ne",
    "not",
    "now",
    "or",
    "parseDuration",
    "pathPrefix",
    "print",
    "printf",
    "println",
    "query",
    "reReplaceAll",
    "safeHtml",
    "slice",
    "sortByLabel",
    "stripDomain",
    "stripPort",
    "strvalue",
    "title",
    "toDuration",
    "toLower",
    "toTime",
    "toUpper",
    "urlQueryEscape",
    "urlquery",
    "value",
];

/// Results of one query that a template sees; more is no text for a person.
const RESULTS_MAX: usize = 10_000;

/// What a regular expression of a template may cost.
const REGEX_MAX_BYTES: usize = 1 << 20;

pub(super) fn is_known(name: &str) -> bool {
    KNOWN.contains(&name)
}

/// Whether a function looks at its arguments only up to one that is so.
pub(super) fn short_circuit(name: &str) -> Option<bool> {
    match name {
        "and" => Some(false),
        "or" => Some(true),
        _ => None,
    }
}

pub(super) fn call(
    name: &str,
    arguments: &[Value],
    context: &Context<'_>,
) -> Result<Value, String> {
    let wrong = |wanted: &str| {
        Err(format!(
            "wrong number of args: want {wanted} got {}",
            arguments.len()
        ))
    };
    match (name, arguments) {
        ("not", [value]) => Ok(Value::Bool(!value.is_true())),
        ("len", [value]) => Ok(Value::Int(
            i64::try_from(value.count()?).unwrap_or(i64::MAX),
        )),
        ("index", [value, keys @ ..]) => keys
            .iter()
            .try_fold(value.clone(), |v, key| indexed(&v, key)),
        ("slice", [value, bounds @ ..]) => sliced(value, bounds),
        ("print" | "html" | "urlquery", values) => {
            let text = printed(values)?;
            Ok(match name {
                "html" => escape_html(&text),
                "urlquery" => escape_query(&text),
                _ => text,
            }
            .into())
        }
        ("println", values) => {
            let shown: Vec<String> = values.iter().map(Value::shown).collect();
            bounded(shown.join(" ") + "\n")
        }
        ("printf", [format, values @ ..]) => bounded(printf(&text(format)?, values)),
        ("eq", [value, others @ ..]) if !others.is_empty() => {
            let mut found = false;
            for other in others {
                found |= compared(value, other, true)?.is_some_and(Ordering::is_eq);
            }
            Ok(Value::Bool(found))
        }
        ("ne", [a, b]) => Ok(Value::Bool(
            !compared(a, b, true)?.is_some_and(Ordering::is_eq),
        )),
        ("lt", [a, b]) => Ok(Value::Bool(
            compared(a, b, false)?.is_some_and(Ordering::is_lt),
        )),
        ("le", [a, b]) => Ok(Value::Bool(
            compared(a, b, false)?.is_some_and(Ordering::is_le),
        )),
        ("gt", [a, b]) => Ok(Value::Bool(
            compared(a, b, false)?.is_some_and(Ordering::is_gt),
        )),
        ("ge", [a, b]) => Ok(Value::Bool(
            compared(a, b, false)?.is_some_and(Ordering::is_ge),
        )),
        ("query", [query]) => results(&text(query)?, context),
        ("first", [list]) => {
            let list = samples(list)?;
            list.first()
                .cloned()
                .ok_or_else(|| "first() called on vector with no elements".to_owned())
        }
        ("label", [label, of]) => Ok(Value::Text(sample(of)?.labels.text(&text(label)?))),
        ("value", [of]) => Ok(Value::Float(sample(of)?.value)),
        ("strvalue", [of]) => Ok(Value::Text(sample(of)?.labels.text("__value__"))),
        ("sortByLabel", [label, list]) => sorted(&text(label)?, list),
        ("args", values) => Ok(Value::Map(Arc::new(Map {
            entries: (0..)
                .map(|n: usize| format!("arg{n}"))
                .zip(values.iter().cloned())
                .collect::<BTreeMap<_, _>>(),
            of_texts: false,
        }))),
        ("match", [pattern, of]) => Ok(Value::Bool(regex(&text(pattern)?)?.is_match(&text(of)?))),
        ("reReplaceAll", [pattern, with, of]) => {
            let (pattern, with, of) = (text(pattern)?, text(with)?, text(of)?);
            bounded(regex(&pattern)?.replace_all(&of, &*with).into_owned())
        }
        ("title", [of]) => Ok(title(&text(of)?).into()),
        ("toUpper", [of]) => Ok(text(of)?.to_uppercase().into()),
        ("toLower", [of]) => Ok(text(of)?.to_lowercase().into()),
        ("safeHtml", [of]) => Ok(Value::Text(text(of)?)),
        ("urlQueryEscape", [of]) => Ok(escape_query(&text(of)?).into()),
        ("stripPort", [of]) => {
            let of = text(of)?;
            Ok(split_host_port(&of).map_or(&*of, |(host, _)| host).into())
        }
        ("stripDomain", [of]) => Ok(strip_domain(&text(of)?).into()),
        ("humanize", [of]) => Ok(humanize(of.as_number()?).into()),
        ("humanize1024", [of]) => Ok(humanize_1024(of.as_number()?).into()),
        ("humanizeDuration", [of]) => Ok(time::humanized(of.as_number()?).into()),
        ("humanizePercentage", [of]) => Ok(format!("{}%", four(of.as_number()? * 100.0)).into()),
        ("humanizeTimestamp", [of]) => {
            let seconds = of.as_number()?;
            let text = if seconds.is_finite() {
                time::timestamp(seconds)?
            } else {
                four(seconds)
            };
            Ok(text.into())
        }
        ("toTime", [of]) => {
            let seconds = of.as_number()?;
            if !seconds.is_finite() {
                return Err("value is NaN or Inf".to_owned());
            }
            Ok(Value::Time(time::timestamp(seconds)?.into()))
        }
        #[expect(clippy::cast_possible_truncation, reason = "it saturates")]
        ("toDuration", [of]) => Ok(Value::Duration((of.as_number()? * 1e9) as i64)),
        #[expect(clippy::cast_precision_loss, reason = "a millisecond of our age fits")]
        ("now", []) => Ok(Value::Float(context.now.0 as f64 / 1000.0)),
        ("parseDuration", [of]) => {
            let of = text(of)?;
            let seconds = time::parse_duration(&of);
            seconds
                .map(Value::Float)
                .ok_or_else(|| format!("not a valid duration string: {of:?}"))
        }
        ("externalURL", []) => Ok(context.external_url.into()),
        ("pathPrefix", []) => Ok(path(context.external_url).into()),
        ("externalURL" | "pathPrefix" | "now", _) => wrong("0"),
        ("ne" | "lt" | "le" | "gt" | "ge" | "label" | "sortByLabel" | "match", _) => wrong("2"),
        ("reReplaceAll", _) => wrong("3"),
        ("printf" | "index" | "slice" | "eq", _) => wrong("at least 1"),
        _ => wrong("1"),
    }
}

fn bounded(text: String) -> Result<Value, String> {
    if text.len() > TEXT_MAX_BYTES {
        return Err(format!("a text of more than {TEXT_MAX_BYTES} bytes"));
    }
    Ok(text.into())
}

fn text(value: &Value) -> Result<Arc<str>, String> {
    match value {
        Value::Text(text) => Ok(text.clone()),
        // A map's entry that is not there is the empty value of what the function takes.
        Value::Missing => Ok("".into()),
        other => Err(format!(
            "wrong type for value; expected string; got {}",
            other.kind()
        )),
    }
}

fn sample(value: &Value) -> Result<&Sample, String> {
    match value {
        Value::Sample(sample) => Ok(sample),
        other => Err(format!(
            "wrong type for value; expected *template.sample; got {}",
            other.kind()
        )),
    }
}

fn samples(value: &Value) -> Result<&Arc<Vec<Value>>, String> {
    match value {
        Value::List(list) => Ok(list),
        other => Err(format!(
            "wrong type for value; expected template.queryResult; got {}",
            other.kind()
        )),
    }
}

fn results(query: &str, context: &Context<'_>) -> Result<Value, String> {
    let found = (context.query)(query)?;
    let samples = found.into_iter().take(RESULTS_MAX).map(|(labels, value)| {
        Value::Sample(Arc::new(Sample {
            labels: Map::of_texts(&labels),
            value,
        }))
    });
    Ok(Value::List(Arc::new(samples.collect())))
}

fn sorted(label: &str, list: &Value) -> Result<Value, String> {
    let mut sorted = samples(list)?.as_ref().clone();
    sorted.sort_by_cached_key(|item| match item {
        Value::Sample(sample) => sample.labels.text(label),
        _ => "".into(),
    });
    Ok(Value::List(Arc::new(sorted)))
}

fn indexed(value: &Value, key: &Value) -> Result<Value, String> {
    match (value, key) {
        (Value::Map(map), key) => Ok(map.get(&text(key)?)),
        (Value::List(list), Value::Int(at)) => {
            let found = usize::try_from(*at).ok().and_then(|at| list.get(at));
            found
                .cloned()
                .ok_or_else(|| format!("index out of range: {at}"))
        }
        (Value::Text(text), Value::Int(at)) => {
            let found = usize::try_from(*at)
                .ok()
                .and_then(|at| text.as_bytes().get(at));
            let found = found.ok_or_else(|| format!("index out of range: {at}"))?;
            Ok(Value::Int(i64::from(*found)))
        }
        (value, _) => Err(format!("can't index item of type {}", value.kind())),
    }
}

fn sliced(value: &Value, bounds: &[Value]) -> Result<Value, String> {
    let length = value.count()?;
    let bound = |at: usize, otherwise: usize| match bounds.get(at) {
        None => Ok(otherwise),
        Some(Value::Int(n)) => {
            let n = usize::try_from(*n).ok().filter(|n| *n <= length);
            n.ok_or_else(|| "index out of range".to_owned())
        }
        Some(other) => Err(format!(
            "cannot index slice/array with type {}",
            other.kind()
        )),
    };
    let (from, to) = (bound(0, 0)?, bound(1, length)?);
    if from > to || bounds.len() > 2 {
        return Err(format!("invalid slice index: {from} > {to}"));
    }
    match value {
        Value::Text(text) => {
            let part = text.get(from..to);
            Ok(part.ok_or("a slice within a character")?.into())
        }
        Value::List(list) => Ok(Value::List(Arc::new(list[from..to].to_vec()))),
        other => Err(format!("can't slice item of type {}", other.kind())),
    }
}

/// Go's `fmt.Sprint`: a space between two values neither of which is a text.
fn printed(values: &[Value]) -> Result<String, String> {
    let mut out = String::new();
    let mut last_was_text = true;
    for value in values {
        let is_text = matches!(value, Value::Text(_));
        if !is_text && !last_was_text {
            out.push(' ');
        }
        out.push_str(&value.shown());
        if out.len() > TEXT_MAX_BYTES {
            return Err(format!("a text of more than {TEXT_MAX_BYTES} bytes"));
        }
        last_was_text = is_text;
    }
    Ok(out)
}

/// How two values compare; none: not at all, as NaN.
fn compared(a: &Value, b: &Value, for_equality: bool) -> Result<Option<Ordering>, String> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Ok(Some(a.cmp(b))),
        (Value::Float(a), Value::Float(b)) => Ok(a.partial_cmp(b)),
        (Value::Text(a), Value::Text(b)) => Ok(Some(a.cmp(b))),
        (Value::Bool(a), Value::Bool(b)) if for_equality => Ok(Some(a.cmp(b))),
        (Value::Missing | Value::Nil, Value::Missing | Value::Nil) if for_equality => {
            Ok(Some(Ordering::Equal))
        }
        (Value::Missing | Value::Nil, _) | (_, Value::Missing | Value::Nil) if for_equality => {
            Ok(None)
        }
        (Value::Bool(_) | Value::Map(_) | Value::List(_), _) => {
            Err("invalid type for comparison".to_owned())
        }
        _ => Err("incompatible types for comparison".to_owned()),
    }
}

fn regex(pattern: &str) -> Result<regex::Regex, String> {
    let built = regex::RegexBuilder::new(pattern)
        .size_limit(REGEX_MAX_BYTES)
        .build();
    built.map_err(|_| format!("error parsing regexp {pattern:?}"))
}

/// Each word with a large first letter.
fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut within = false;
    for c in text.chars() {
        if within {
            out.push(c);
        } else {
            out.extend(c.to_uppercase());
        }
        within = c.is_alphanumeric() || c == '\'' || c == '_';
    }
    out
}

fn humanize(mut value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return four(value);
    }
    if value.abs() < 1.0 {
        return scaled_down(value);
    }
    let mut prefix = "";
    for p in ["k", "M", "G", "T", "P", "E", "Z", "Y"] {
        if value.abs() < 1000.0 {
            break;
        }
        prefix = p;
        value /= 1000.0;
    }
    four(value) + prefix
}

/// A number below one, with the prefix that makes it larger.
pub(super) fn scaled_down(mut value: f64) -> String {
    let mut prefix = "";
    for p in ["m", "u", "n", "p", "f", "a", "z", "y"] {
        if value.abs() >= 1.0 {
            break;
        }
        prefix = p;
        value *= 1000.0;
    }
    four(value) + prefix
}

fn humanize_1024(mut value: f64) -> String {
    if value.abs() <= 1.0 || !value.is_finite() {
        return four(value);
    }
    let mut prefix = "";
    for p in ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"] {
        if value.abs() < 1024.0 {
            break;
        }
        prefix = p;
        value /= 1024.0;
    }
    four(value) + prefix
}

/// `host:port` and `[v6]:port`.
fn split_host_port(text: &str) -> Option<(&str, &str)> {
    if let Some(rest) = text.strip_prefix('[') {
        return rest
            .split_once("]:")
            .filter(|(_, port)| !port.contains(':'));
    }
    let (host, port) = text.rsplit_once(':')?;
    (!host.contains(':')).then_some((host, port))
}

fn strip_domain(text: &str) -> String {
    let (host, port) = split_host_port(text).unwrap_or((text, ""));
    if host.parse::<IpAddr>().is_ok() {
        return text.to_owned();
    }
    let host = host.split('.').next().unwrap_or_default();
    match port {
        "" => host.to_owned(),
        port => format!("{host}:{port}"),
    }
}

fn path(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or("", |at| &rest[at..])
}

fn escape_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

pub(crate) fn escape_query(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte))
            }
            b' ' => out.push('+'),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
