//! Functions of templates: Go's own, and those of the `sprig` library that Loki offers.

use std::cmp::Ordering;

use regex::Regex;

use super::Scope;
use super::eval::MAX_OUTPUT;
use super::printf::{print, println, sprintf};
use super::time::{self, Moment};
use super::value::Value;
use crate::text::{parse_bytes, parse_go_duration};

const NAMES: [&str; 85] = [
    "__line__",
    "__timestamp__",
    "ToLower",
    "ToUpper",
    "Replace",
    "Trim",
    "TrimLeft",
    "TrimRight",
    "TrimPrefix",
    "TrimSuffix",
    "TrimSpace",
    "regexReplaceAll",
    "regexReplaceAllLiteral",
    "count",
    "urldecode",
    "urlencode",
    "bytes",
    "duration",
    "duration_seconds",
    "unixEpochMillis",
    "unixEpochNanos",
    "toDateInZone",
    "unixToTime",
    "alignLeft",
    "alignRight",
    "b64enc",
    "b64dec",
    "lower",
    "upper",
    "title",
    "trunc",
    "substr",
    "contains",
    "hasPrefix",
    "hasSuffix",
    "indent",
    "nindent",
    "replace",
    "repeat",
    "trim",
    "trimAll",
    "trimSuffix",
    "trimPrefix",
    "int",
    "float64",
    "add",
    "sub",
    "mul",
    "div",
    "mod",
    "addf",
    "subf",
    "mulf",
    "divf",
    "max",
    "min",
    "maxf",
    "minf",
    "ceil",
    "floor",
    "round",
    "fromJson",
    "date",
    "toDate",
    "now",
    "unixEpoch",
    "default",
    "and",
    "or",
    "not",
    "len",
    "index",
    "slice",
    "print",
    "printf",
    "println",
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "html",
    "js",
    "urlquery",
];

/// Whether there is such a function.
pub(super) fn exists(name: &str) -> bool {
    NAMES.contains(&name)
}

/// The arguments of a call.
struct Arguments<'a>(&'a [Value]);

impl Arguments<'_> {
    fn get(&self, index: usize) -> Result<&Value, String> {
        let count = self.0.len();
        self.0.get(index).ok_or_else(|| {
            format!(
                "wrong number of args: want at least {} got {count}",
                index + 1
            )
        })
    }

    fn text(&self, index: usize) -> Result<&str, String> {
        match self.get(index)? {
            Value::Text(text) => Ok(text),
            other => Err(format!(
                "wrong type for value; expected string; got {}",
                other.kind()
            )),
        }
    }

    fn int(&self, index: usize) -> Result<i64, String> {
        match self.get(index)? {
            Value::Int(value) => Ok(*value),
            other => Err(format!(
                "wrong type for value; expected int; got {}",
                other.kind()
            )),
        }
    }

    fn regex(&self, index: usize) -> Result<Regex, String> {
        let pattern = self.text(index)?;
        wharf_signal::compile_regexp(pattern)
            .map_err(|_| format!("error parsing regexp: {pattern}"))
    }

    /// Folds whole numbers.
    fn ints(&self, fold: impl Fn(i64, i64) -> Option<i64>) -> Result<Value, String> {
        let mut total = self.get(0)?.int();
        for value in &self.0[1..] {
            total = fold(total, value.int()).ok_or("integer divide by zero")?;
        }
        Ok(Value::Int(total))
    }

    fn floats(&self, fold: impl Fn(f64, f64) -> f64) -> Result<Value, String> {
        let mut total = self.get(0)?.float();
        for value in &self.0[1..] {
            total = fold(total, value.float());
        }
        Ok(Value::Float(total))
    }

    fn time(&self, index: usize) -> Result<Moment, String> {
        match self.get(index)? {
            Value::Time(time) => Ok(*time),
            other => Err(format!(
                "wrong type for value; expected time.Time; got {}",
                other.kind()
            )),
        }
    }
}

/// Calls a function.
pub(super) fn call(name: &str, arguments: &[Value], scope: &Scope<'_>) -> Result<Value, String> {
    let a = Arguments(arguments);
    let text = |text: String| Ok(Value::Text(text));
    match name {
        "__line__" => text(scope.line.to_owned()),
        "__timestamp__" => Ok(Value::Time(Moment::utc(scope.nanos))),
        "now" => Ok(Value::Time(Moment::utc(scope.now))),
        "ToLower" | "lower" => text(a.text(0)?.to_lowercase()),
        "ToUpper" | "upper" => text(a.text(0)?.to_uppercase()),
        "title" => text(title(a.text(0)?)),
        "Replace" => {
            let count = usize::try_from(a.int(3)?).unwrap_or(usize::MAX);
            bounded(a.text(0)?.replacen(a.text(1)?, a.text(2)?, count))
        }
        "replace" => bounded(a.text(2)?.replace(a.text(0)?, a.text(1)?)),
        "Trim" => text(a.text(0)?.trim_matches(of(a.text(1)?)).to_owned()),
        "TrimLeft" => text(a.text(0)?.trim_start_matches(of(a.text(1)?)).to_owned()),
        "TrimRight" => text(a.text(0)?.trim_end_matches(of(a.text(1)?)).to_owned()),
        "trimAll" => text(a.text(1)?.trim_matches(of(a.text(0)?)).to_owned()),
        "TrimPrefix" => text(without_prefix(a.text(0)?, a.text(1)?)),
        "trimPrefix" => text(without_prefix(a.text(1)?, a.text(0)?)),
        "TrimSuffix" => text(without_suffix(a.text(0)?, a.text(1)?)),
        "trimSuffix" => text(without_suffix(a.text(1)?, a.text(0)?)),
        "TrimSpace" | "trim" => text(a.text(0)?.trim().to_owned()),
        "trunc" => text(trunc(a.int(0)?, a.text(1)?)),
        "substr" => text(substring(a.int(0)?, a.int(1)?, a.text(2)?)),
        "contains" => Ok(Value::Bool(a.text(1)?.contains(a.text(0)?))),
        "hasPrefix" => Ok(Value::Bool(a.text(1)?.starts_with(a.text(0)?))),
        "hasSuffix" => Ok(Value::Bool(a.text(1)?.ends_with(a.text(0)?))),
        "indent" => indent(a.int(0)?, a.text(1)?),
        "nindent" => match indent(a.int(0)?, a.text(1)?)? {
            Value::Text(indented) => text(format!("\n{indented}")),
            other => Ok(other),
        },
        "repeat" => {
            let count = usize::try_from(a.int(0)?).unwrap_or(0);
            let part = a.text(1)?;
            if part.len().saturating_mul(count) > MAX_OUTPUT {
                return Err(too_long());
            }
            text(part.repeat(count))
        }
        "alignLeft" => align(a.int(0)?, a.text(1)?, true),
        "alignRight" => align(a.int(0)?, a.text(1)?, false),
        "regexReplaceAll" => {
            // Groups are written `$1` and `${1}` in Go's expressions and in these.
            bounded(a.regex(0)?.replace_all(a.text(1)?, a.text(2)?).into_owned())
        }
        "regexReplaceAllLiteral" => {
            let literal = regex::NoExpand(a.text(2)?);
            bounded(a.regex(0)?.replace_all(a.text(1)?, literal).into_owned())
        }
        "count" => {
            let count = a.regex(0)?.find_iter(a.text(1)?).count();
            Ok(Value::Int(i64::try_from(count).unwrap_or(i64::MAX)))
        }
        "urlencode" | "urlquery" => text(url_encode(a.text(0)?)),
        "urldecode" => text(url_decode(a.text(0)?)?),
        "html" => text(escape_html(a.text(0)?)),
        "js" => text(escape_js(a.text(0)?)),
        "b64enc" => text(base64_encode(a.text(0)?.as_bytes())),
        "b64dec" => text(base64_decode(a.text(0)?)),
        "bytes" => parse_bytes(a.text(0)?).map(|bytes| Value::Float(bytes as f64)),
        "duration" | "duration_seconds" => {
            parse_go_duration(a.text(0)?).map(|nanos| Value::Float(nanos as f64 / 1e9))
        }
        "int" => Ok(Value::Int(a.get(0)?.int())),
        "float64" => Ok(Value::Float(a.get(0)?.float())),
        "add" => a.ints(|x, y| Some(x.wrapping_add(y))),
        "sub" => a.ints(|x, y| Some(x.wrapping_sub(y))),
        "mul" => a.ints(|x, y| Some(x.wrapping_mul(y))),
        "div" => a.ints(i64::checked_div),
        "mod" => a.ints(i64::checked_rem),
        "max" => a.ints(|x, y| Some(x.max(y))),
        "min" => a.ints(|x, y| Some(x.min(y))),
        "addf" => a.floats(|x, y| x + y),
        "subf" => a.floats(|x, y| x - y),
        "mulf" => a.floats(|x, y| x * y),
        "divf" => a.floats(|x, y| x / y),
        "maxf" => a.floats(f64::max),
        "minf" => a.floats(f64::min),
        "ceil" => Ok(Value::Float(a.get(0)?.float().ceil())),
        "floor" => Ok(Value::Float(a.get(0)?.float().floor())),
        "round" => Ok(Value::Float(round(a.get(0)?.float(), a.get(1)?.int()))),
        "fromJson" => Ok(Value::from_json(a.text(0)?)),
        "date" => {
            let time = match a.get(1)? {
                Value::Time(time) => *time,
                Value::Int(seconds) => Moment::utc(seconds.saturating_mul(1_000_000_000)),
                _ => Moment::utc(scope.now),
            };
            text(time.format(a.text(0)?))
        }
        "toDate" => Ok(Value::Time(time::parse(a.text(0)?, a.text(1)?))),
        "toDateInZone" => {
            // Zones other than UTC are not known here, as they are not to a Loki without a time zone database.
            a.text(1)?;
            Ok(Value::Time(time::parse(a.text(0)?, a.text(2)?)))
        }
        "unixToTime" => unix_to_time(a.text(0)?),
        "unixEpoch" => text(a.time(0)?.nanos.div_euclid(1_000_000_000).to_string()),
        "unixEpochMillis" => text(a.time(0)?.nanos.div_euclid(1_000_000).to_string()),
        "unixEpochNanos" => text(a.time(0)?.nanos.to_string()),
        "default" => {
            let otherwise = a.get(0)?;
            let given = arguments.get(1).unwrap_or(&Value::Nil);
            Ok(if given.is_true() { given } else { otherwise }.clone())
        }
        "not" => Ok(Value::Bool(!a.get(0)?.is_true())),
        "len" => length(a.get(0)?),
        "index" => index(a.get(0)?, &arguments[1..]),
        "slice" => slice(a.get(0)?, &arguments[1..]),
        "print" => text(print(arguments)),
        "println" => text(println(arguments)),
        "printf" => bounded(sprintf(a.text(0)?, &arguments[1..])?),
        "eq" => {
            let first = a.get(0)?;
            a.get(1)?;
            for other in &arguments[1..] {
                if first.equals(other)? {
                    return Ok(Value::Bool(true));
                }
            }
            Ok(Value::Bool(false))
        }
        "ne" => Ok(Value::Bool(!a.get(0)?.equals(a.get(1)?)?)),
        "lt" | "le" | "gt" | "ge" => {
            let order = a.get(0)?.compare(a.get(1)?)?;
            Ok(Value::Bool(match name {
                "lt" => order == Some(Ordering::Less),
                "le" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
                "gt" => order == Some(Ordering::Greater),
                _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
            }))
        }
        _ => Err("no such function".to_owned()),
    }
}

fn too_long() -> String {
    format!("result is longer than {MAX_OUTPUT} bytes")
}

fn bounded(text: String) -> Result<Value, String> {
    if text.len() > MAX_OUTPUT {
        return Err(too_long());
    }
    Ok(Value::Text(text))
}

fn of(characters: &str) -> impl Fn(char) -> bool + Copy + '_ {
    move |c| characters.contains(c)
}

fn without_prefix(text: &str, prefix: &str) -> String {
    text.strip_prefix(prefix).unwrap_or(text).to_owned()
}

fn without_suffix(text: &str, suffix: &str) -> String {
    text.strip_suffix(suffix).unwrap_or(text).to_owned()
}

/// The first letter of each word in capitals.
fn title(text: &str) -> String {
    let mut before = ' ';
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let inside = before.is_alphanumeric() || before == '_' || before == '\'';
        if inside {
            out.push(c);
        } else {
            out.extend(c.to_uppercase());
        }
        before = c;
    }
    out
}

/// The first `count` characters; the last, if it is negative.
fn trunc(count: i64, text: &str) -> String {
    let length = text.chars().count();
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if wanted >= length {
        return text.to_owned();
    }
    if count < 0 {
        text.chars().skip(length - wanted).collect()
    } else {
        text.chars().take(wanted).collect()
    }
}

fn substring(start: i64, end: i64, text: &str) -> String {
    let skip = usize::try_from(start).unwrap_or(0);
    let Ok(end) = usize::try_from(end) else {
        return if start < 0 {
            String::new()
        } else {
            text.chars().skip(skip).collect()
        };
    };
    text.chars().take(end).skip(skip).collect()
}

fn indent(count: i64, text: &str) -> Result<Value, String> {
    let count = usize::try_from(count).unwrap_or(0);
    let lines = text.split('\n').count();
    if count.saturating_mul(lines).saturating_add(text.len()) > MAX_OUTPUT {
        return Err(too_long());
    }
    let blanks = " ".repeat(count);
    Ok(Value::Text(format!(
        "{blanks}{}",
        text.replace('\n', &format!("\n{blanks}"))
    )))
}

/// Exactly `count` characters.
fn align(count: i64, text: &str, left: bool) -> Result<Value, String> {
    let Ok(count) = usize::try_from(count) else {
        return Ok(Value::Text(text.to_owned()));
    };
    if count > MAX_OUTPUT {
        return Err(too_long());
    }
    let length = text.chars().count();
    let blanks = " ".repeat(count.saturating_sub(length));
    Ok(Value::Text(match left {
        true if length <= count => format!("{text}{blanks}"),
        false if length <= count => format!("{blanks}{text}"),
        true => text.chars().take(count).collect(),
        false => text.chars().skip(length - count).collect(),
    }))
}

fn round(value: f64, precision: i64) -> f64 {
    let precision = i32::try_from(precision.clamp(-300, 300)).unwrap_or(0);
    let scale = 10_f64.powi(precision);
    let rounded = (value * scale + 0.5).floor() / scale;
    if rounded.is_finite() { rounded } else { value }
}

fn unix_to_time(text: &str) -> Result<Value, String> {
    let error = || format!("unable to parse time '{text}'");
    let value: i64 = text.parse().map_err(|_| error())?;
    let unit = match text.len() {
        // Days.
        5 => 86_400_000_000_000,
        10 => 1_000_000_000,
        13 => 1_000_000,
        16 => 1_000,
        19 => 1,
        _ => return Err(error()),
    };
    let nanos = value.checked_mul(unit).ok_or_else(error)?;
    Ok(Value::Time(Moment::utc(nanos)))
}

fn length(value: &Value) -> Result<Value, String> {
    let length = match value {
        Value::Text(text) => text.len(),
        Value::List(list) => list.len(),
        Value::Map(map) | Value::Labels(map) => map.len(),
        other => return Err(format!("len of type {}", other.kind())),
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

fn index(value: &Value, path: &[Value]) -> Result<Value, String> {
    let mut value = value.clone();
    for step in path {
        value = match (&value, step) {
            (Value::List(list), Value::Int(at)) => {
                let found = usize::try_from(*at).ok().and_then(|at| list.get(at));
                found
                    .cloned()
                    .ok_or_else(|| format!("index out of range: {at}"))?
            }
            (Value::Text(text), Value::Int(at)) => {
                let found = usize::try_from(*at)
                    .ok()
                    .and_then(|at| text.as_bytes().get(at));
                let found = found.ok_or_else(|| format!("index out of range: {at}"))?;
                Value::Int(i64::from(*found))
            }
            (Value::Map(_) | Value::Labels(_), Value::Text(name)) => value.member(name)?,
            (Value::Nil, _) => return Err("index of untyped nil".to_owned()),
            (other, _) => return Err(format!("can't index item of type {}", other.kind())),
        };
    }
    Ok(value)
}

fn slice(value: &Value, range: &[Value]) -> Result<Value, String> {
    let bound = |at: usize, otherwise: usize, length: usize| match range.get(at) {
        None => Ok(otherwise),
        Some(value) => {
            let bound = usize::try_from(value.int()).unwrap_or(usize::MAX);
            if bound > length {
                return Err(format!("index out of range: {}", value.int()));
            }
            Ok(bound)
        }
    };
    match value {
        Value::Text(text) => {
            let (from, to) = (bound(0, 0, text.len())?, bound(1, text.len(), text.len())?);
            let part = text.get(from..to).ok_or("invalid slice index")?;
            Ok(Value::Text(part.to_owned()))
        }
        Value::List(list) => {
            let (from, to) = (bound(0, 0, list.len())?, bound(1, list.len(), list.len())?);
            let part = list.get(from..to).ok_or("invalid slice index")?;
            Ok(Value::List(part.to_vec()))
        }
        other => Err(format!("can't slice item of type {}", other.kind())),
    }
}

fn url_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        match b {
            b' ' => out.push('+'),
            b'-' | b'_' | b'.' | b'~' => out.push(char::from(b)),
            b if b.is_ascii_alphanumeric() => out.push(char::from(b)),
            b => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}

fn url_decode(text: &str) -> Result<String, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        match b {
            b'+' => out.push(b' '),
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                let (Some(high), Some(low)) = (digit(), digit()) else {
                    return Err(format!("invalid URL escape in {text:?}"));
                };
                out.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
            }
            b => out.push(b),
        }
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}

fn escape_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn escape_js(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '<' | '>' | '&' | '=' => out.push_str(&format!("\\u{:04X}", c as u32)),
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04X}", c as u32)),
            c => out.push(c),
        }
    }
    out
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64_encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for (index, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            if index > chunk.len() {
                out.push('=');
            } else {
                out.push(char::from(BASE64[(bits >> shift) as usize & 63]));
            }
        }
    }
    out
}

/// What cannot be read is what is wrong with it, as `sprig` has it.
fn base64_decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let digits = text.trim_end_matches('=').as_bytes();
    let (mut bits, mut count) = (0_u32, 0);
    for (index, digit) in digits.iter().enumerate() {
        let Some(value) = BASE64.iter().position(|b| b == digit) else {
            return format!("illegal base64 data at input byte {index}");
        };
        bits = bits << 6 | u32::try_from(value).unwrap_or(0);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from(bits >> count & 0xff).unwrap_or(0));
        }
    }
    if !text.len().is_multiple_of(4) {
        return format!("illegal base64 data at input byte {}", text.len() / 4 * 4);
    }
    String::from_utf8_lossy(&out).into_owned()
}
