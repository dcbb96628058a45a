//! Numbers and `printf` as Go writes them.

use super::value::Value;

/// The widest field and the most digits that are made; Go stops at a million.
const WIDTH_MAX: usize = 1000;

/// Go's `%v` of a float64: the shortest digits that are it, with an exponent below 1e-4 and from 1e6 on.
pub(super) fn number(value: f64) -> String {
    general(value, None)
}

/// Go's `%.4g`.
pub(super) fn four(value: f64) -> String {
    general(value, Some(4))
}

/// Go's `strconv.ParseFloat`, without hexadecimal numbers.
pub(super) fn parse_number(text: &str) -> Option<f64> {
    let plain = text.replace('_', "");
    let letters = plain.trim_start_matches(['+', '-']).to_ascii_lowercase();
    let known = matches!(letters.as_str(), "inf" | "infinity" | "nan")
        || letters.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    plain.parse().ok().filter(|_| known && plain == text)
}

fn special(value: f64) -> Option<String> {
    if value.is_nan() {
        Some("NaN".to_owned())
    } else if value.is_infinite() {
        Some(if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned())
    } else {
        None
    }
}

/// `%g`: `precision` significant digits, or as many as it takes; an exponent where that is below -4 or not below the precision
/// (6 where there is none).
fn general(value: f64, precision: Option<usize>) -> String {
    if let Some(special) = special(value) {
        return special;
    }
    let scientific = match precision {
        Some(digits) => format!("{value:.*e}", digits.max(1) - 1),
        None => format!("{value:e}"),
    };
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let mantissa = if mantissa.contains('.') {
        mantissa.trim_end_matches('0').trim_end_matches('.')
    } else {
        mantissa
    };
    let digits = mantissa.chars().filter(char::is_ascii_digit).count();
    let large = precision.map_or(6, |digits| i32::try_from(digits.max(1)).unwrap_or(i32::MAX));
    if exponent < -4 || exponent >= large {
        return format!("{mantissa}{}", exponent_text(exponent));
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let figures: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let Ok(point) = usize::try_from(exponent + 1) else {
        let zeros = "0".repeat(usize::try_from(-exponent - 1).unwrap_or(0));
        return format!("{sign}0.{zeros}{figures}");
    };
    if point == 0 {
        return format!("{sign}0.{figures}");
    }
    if digits <= point {
        return format!("{sign}{figures}{}", "0".repeat(point - digits));
    }
    let (whole, part) = figures.split_at(point);
    format!("{sign}{whole}.{part}")
}

/// Go writes at least two digits.
fn exponent_text(exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("e{sign}{:02}", exponent.unsigned_abs())
}

/// `%e`.
fn scientific(value: f64, precision: usize) -> String {
    if let Some(special) = special(value) {
        return special;
    }
    let text = format!("{value:.precision$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    format!("{mantissa}{}", exponent_text(exponent.parse().unwrap_or(0)))
}

/// The flags of one verb.
#[derive(Default)]
struct Verb {
    minus: bool,
    plus: bool,
    zero: bool,
    space: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// Go's `fmt.Sprintf`, of the values that a template has.
pub(super) fn printf(format: &str, values: &[Value]) -> String {
    let mut out = String::new();
    let mut values = values.iter();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut verb = Verb::default();
        while let Some(flag) = chars.next_if(|c| "-+ 0#".contains(*c)) {
            match flag {
                '-' => verb.minus = true,
                '+' => verb.plus = true,
                '0' => verb.zero = true,
                ' ' => verb.space = true,
                _ => {}
            }
        }
        let mut count = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>| {
            if chars.next_if_eq(&'*').is_some() {
                return match values.next() {
                    Some(Value::Int(number)) => usize::try_from(*number).ok(),
                    _ => None,
                };
            }
            let mut number: Option<usize> = None;
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                let digit = digit.to_digit(10).unwrap_or(0) as usize;
                number = Some((number.unwrap_or(0) * 10 + digit).min(WIDTH_MAX));
            }
            number
        };
        verb.width = count(&mut chars).map(|width| width.min(WIDTH_MAX));
        if chars.next_if_eq(&'.').is_some() {
            verb.precision = Some(count(&mut chars).unwrap_or(0).min(WIDTH_MAX));
        }
        match chars.next() {
            None => out.push_str("%!(NOVERB)"),
            Some('%') => out.push('%'),
            Some(letter) => match values.next() {
                None => out.push_str(&format!("%!{letter}(MISSING)")),
                Some(value) => out.push_str(&verb.write(letter, value)),
            },
        }
    }
    let extra: Vec<String> = values
        .map(|v| format!("{}={}", v.kind(), v.shown()))
        .collect();
    if !extra.is_empty() {
        out.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    out
}

impl Verb {
    fn write(&self, letter: char, value: &Value) -> String {
        let text = match (letter, value) {
            ('v', Value::Float(value)) => match self.precision {
                Some(precision) => general(*value, Some(precision)),
                None => number(*value),
            },
            ('v', value) => value.shown(),
            ('s', Value::Text(text)) => self.cut(text),
            ('s', Value::Time(_) | Value::Duration(_) | Value::Map(_) | Value::List(_)) => {
                value.shown()
            }
            ('q', Value::Text(text)) => format!("{:?}", self.cut(text)),
            ('x', Value::Text(text)) => text.bytes().map(|b| format!("{b:02x}")).collect(),
            ('t', Value::Bool(value)) => value.to_string(),
            ('T', value) => value.kind().to_owned(),
            ('d', Value::Int(number)) => number.to_string(),
            ('d', Value::Duration(nanos)) => nanos.to_string(),
            ('x', Value::Int(number)) => signed(*number, |n| format!("{n:x}")),
            ('X', Value::Int(number)) => signed(*number, |n| format!("{n:X}")),
            ('o', Value::Int(number)) => signed(*number, |n| format!("{n:o}")),
            ('b', Value::Int(number)) => signed(*number, |n| format!("{n:b}")),
            ('c', Value::Int(number)) => {
                let code = u32::try_from(*number).ok().and_then(char::from_u32);
                code.unwrap_or('\u{fffd}').to_string()
            }
            ('f' | 'F', Value::Float(value)) => special(*value)
                .unwrap_or_else(|| format!("{value:.*}", self.precision.unwrap_or(6))),
            ('e', Value::Float(value)) => scientific(*value, self.precision.unwrap_or(6)),
            ('E', Value::Float(value)) => {
                scientific(*value, self.precision.unwrap_or(6)).to_uppercase()
            }
            ('g' | 'G', Value::Float(value)) => match self.precision {
                Some(precision) => general(*value, Some(precision)),
                None => number(*value),
            },
            (letter, value) => {
                return format!("%!{letter}({}={})", value.kind(), value.shown());
            }
        };
        let is_number =
            matches!(value, Value::Int(_) | Value::Float(_)) && letter != 'T' && letter != 'c';
        self.padded(text, is_number)
    }

    fn cut(&self, text: &str) -> String {
        match self.precision {
            Some(most) => text.chars().take(most).collect(),
            None => text.to_owned(),
        }
    }

    fn padded(&self, mut text: String, is_number: bool) -> String {
        if is_number && !text.starts_with(['-', '+']) {
            if self.plus {
                text.insert(0, '+');
            } else if self.space {
                text.insert(0, ' ');
            }
        }
        let missing = self.width.unwrap_or(0).saturating_sub(text.chars().count());
        if self.minus {
            return text + &" ".repeat(missing);
        }
        if self.zero && is_number && !text.contains(['N', 'I']) {
            let sign = usize::from(text.starts_with(['-', '+', ' ']));
            text.insert_str(sign, &"0".repeat(missing));
            return text;
        }
        " ".repeat(missing) + &text
    }
}

fn signed(number: i64, write: impl Fn(u64) -> String) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{}", write(number.unsigned_abs()))
}
