//! `print`, `println` and `printf`, as Go's `fmt` has them for the kinds of values that a template knows.

use super::eval::MAX_OUTPUT;
use super::value::Value;
use crate::text::{format_plain, quote};

/// All one after another, with a blank between two that are no texts.
pub(super) fn print(arguments: &[Value]) -> String {
    let mut out = String::new();
    let mut before_is_text = true;
    for (index, value) in arguments.iter().enumerate() {
        let is_text = matches!(value, Value::Text(_));
        if index > 0 && !is_text && !before_is_text {
            out.push(' ');
        }
        push(value, &mut out);
        before_is_text = is_text;
    }
    out
}

pub(super) fn println(arguments: &[Value]) -> String {
    let mut out = String::new();
    for (index, value) in arguments.iter().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        push(value, &mut out);
    }
    out.push('\n');
    out
}

fn push(value: &Value, out: &mut String) {
    match value {
        Value::Nil => out.push_str("<nil>"),
        value => value.print(out),
    }
}

#[derive(Default)]
struct Flags {
    minus: bool,
    plus: bool,
    zero: bool,
    space: bool,
    sharp: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// Fills a format.
pub(super) fn sprintf(format: &str, arguments: &[Value]) -> Result<String, String> {
    let mut out = String::new();
    let mut next = arguments.iter();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let flags = flags(&mut rest, &mut next);
        if flags.width.max(flags.precision) > Some(MAX_OUTPUT) || out.len() > MAX_OUTPUT {
            return Err(format!("result is longer than {MAX_OUTPUT} bytes"));
        }
        let Some(verb) = rest.chars().next() else {
            out.push_str("%!(NOVERB)");
            break;
        };
        rest = &rest[verb.len_utf8()..];
        if verb == '%' {
            out.push('%');
            continue;
        }
        match next.next() {
            Some(value) => pad(&flags, verb, &one(&flags, verb, value), value, &mut out),
            None => out.push_str(&format!("%!{verb}(MISSING)")),
        }
    }
    out.push_str(rest);
    let extra: Vec<String> = next
        .map(|value| format!("{}={}", value.kind(), value.text()))
        .collect();
    if !extra.is_empty() {
        out.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    Ok(out)
}

fn flags<'v>(rest: &mut &str, next: &mut impl Iterator<Item = &'v Value>) -> Flags {
    let mut flags = Flags::default();
    while let Some(c) = rest.chars().next() {
        match c {
            '-' => flags.minus = true,
            '+' => flags.plus = true,
            '0' => flags.zero = true,
            ' ' => flags.space = true,
            '#' => flags.sharp = true,
            _ => break,
        }
        *rest = &rest[1..];
    }
    flags.width = count(rest, next);
    if let Some(after) = rest.strip_prefix('.') {
        *rest = after;
        flags.precision = Some(count(rest, next).unwrap_or(0));
    }
    flags
}

fn count<'v>(rest: &mut &str, next: &mut impl Iterator<Item = &'v Value>) -> Option<usize> {
    if let Some(after) = rest.strip_prefix('*') {
        *rest = after;
        return usize::try_from(next.next()?.int()).ok();
    }
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (digits, after) = rest.split_at(end);
    *rest = after;
    if digits.is_empty() {
        return None;
    }
    Some(digits.parse().unwrap_or(usize::MAX))
}

fn signed(flags: &Flags, text: String) -> String {
    match (text.starts_with('-'), flags.plus, flags.space) {
        (false, true, _) => format!("+{text}"),
        (false, false, true) => format!(" {text}"),
        _ => text,
    }
}

/// A value by its verb, without padding.
fn one(flags: &Flags, verb: char, value: &Value) -> String {
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
    match (verb, value) {
        ('v' | 's' | 'd', Value::Nil) => "<nil>".to_owned(),
        ('q', Value::Text(text)) => quote(text),
        ('v', Value::Text(text)) if flags.sharp => quote(text),
        ('v' | 's', Value::Text(text)) => match flags.precision {
            Some(most) => text.chars().take(most).collect(),
            None => text.clone(),
        },
        ('x', Value::Text(text)) => hex(text.as_bytes()),
        ('X', Value::Text(text)) => hex(text.as_bytes()).to_uppercase(),
        ('v' | 'd', Value::Int(int)) => signed(flags, int.to_string()),
        ('x', Value::Int(int)) => radix(*int, |n| format!("{n:x}")),
        ('X', Value::Int(int)) => radix(*int, |n| format!("{n:X}")),
        ('o', Value::Int(int)) => radix(*int, |n| format!("{n:o}")),
        ('b', Value::Int(int)) => radix(*int, |n| format!("{n:b}")),
        ('c', Value::Int(int)) => {
            let c = u32::try_from(*int).ok().and_then(char::from_u32);
            c.unwrap_or(char::REPLACEMENT_CHARACTER).to_string()
        }
        ('U', Value::Int(int)) => format!("U+{int:04X}"),
        ('v' | 'g' | 'G', Value::Float(float)) => match flags.precision {
            Some(digits) => signed(flags, general(*float, digits)),
            None => signed(flags, value_text(*float)),
        },
        ('f' | 'F', Value::Float(float)) => {
            let digits = flags.precision.unwrap_or(6).min(1_000);
            signed(flags, finite(*float, |float| format!("{float:.digits$}")))
        }
        ('e' | 'E', Value::Float(float)) => {
            let digits = flags.precision.unwrap_or(6).min(1_000);
            signed(flags, finite(*float, |float| exponent(float, digits)))
        }
        ('v' | 't', Value::Bool(_))
        | ('v' | 's', Value::Time(_) | Value::List(_) | Value::Map(_) | Value::Labels(_)) => {
            value.text()
        }
        _ => format!("%!{verb}({}={})", value.kind(), value.text()),
    }
}

fn value_text(float: f64) -> String {
    Value::Float(float).text()
}

fn radix(int: i64, write: impl Fn(u64) -> String) -> String {
    let sign = if int < 0 { "-" } else { "" };
    format!("{sign}{}", write(int.unsigned_abs()))
}

fn finite(float: f64, write: impl Fn(f64) -> String) -> String {
    if float.is_finite() {
        write(float)
    } else {
        format_plain(float)
    }
}

fn exponent(float: f64, digits: usize) -> String {
    let text = format!("{float:.digits$e}");
    let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, power) = match power.strip_prefix('-') {
        Some(power) => ('-', power),
        None => ('+', power),
    };
    format!("{mantissa}e{sign}{power:0>2}")
}

/// `%.3g`: so many digits in all, without zeros at the end.
fn general(float: f64, digits: usize) -> String {
    let digits = digits.clamp(1, 300);
    if float == 0.0 || !float.is_finite() {
        return format_plain(float);
    }
    let text = exponent(float, digits - 1);
    let (mantissa, power) = text.split_once('e').unwrap_or((&text, "+00"));
    let power: i32 = power.parse().unwrap_or(0);
    let trim = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    let most = i32::try_from(digits).unwrap_or(i32::MAX);
    if power < -4 || power >= most {
        let (_, exponent) = text.split_once('e').unwrap_or(("", "+00"));
        return format!("{}e{exponent}", trim(mantissa));
    }
    let decimals = usize::try_from(most - 1 - power).unwrap_or(0);
    trim(&format!("{float:.decimals$}"))
}

fn pad(flags: &Flags, verb: char, text: &str, value: &Value, out: &mut String) {
    let length = text.chars().count();
    let missing = flags.width.unwrap_or(0).saturating_sub(length);
    let number = matches!(value, Value::Int(_) | Value::Float(_));
    if flags.minus {
        out.push_str(text);
        out.extend(std::iter::repeat_n(' ', missing));
    } else if flags.zero && (number || verb == 's') {
        let digits = text.trim_start_matches(['-', '+']);
        out.push_str(&text[..text.len() - digits.len()]);
        out.extend(std::iter::repeat_n('0', missing));
        out.push_str(digits);
    } else {
        out.extend(std::iter::repeat_n(' ', missing));
        out.push_str(text);
    }
}
