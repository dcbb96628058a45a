//! `name{label="value",…}` and `{"a name",label="value"}`: where one ends, and what is in it.

use std::borrow::Cow;

use memchr::memchr2;
use wharf_signal::{Labels, MetricKind, NAME};

use super::{Wrong, number};

/// What is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rules {
    /// Blanks everywhere, commas that nothing follows.
    Text,
    /// As Prometheus reads OpenMetrics: no blanks, but a comma that nothing follows.
    OpenMetrics,
    /// As OpenMetrics is specified.
    Strict,
}

/// Pairs as they are read.
type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

const LETTER: u8 = 1;
const DIGIT: u8 = 2;
const COLON: u8 = 4;

/// What a byte is in a name. Every line begins with one: looking up is half the time of comparing.
static IN_NAMES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => LETTER,
            b'0'..=b'9' => DIGIT,
            b':' => COLON,
            _ => 0,
        };
        byte += 1;
    }
    table
};

/// How many bytes of a name are at the beginning: letters, digits, `_` and, of a metric, `:`; none if it begins with a digit.
pub(super) fn name_length(bytes: &[u8], colon: bool) -> usize {
    let letters = if colon { LETTER | COLON } else { LETTER };
    let is = |byte: &u8, class: u8| IN_NAMES[usize::from(*byte)] & class != 0;
    if !bytes.first().is_some_and(|byte| is(byte, letters)) {
        return 0;
    }
    bytes
        .iter()
        .position(|byte| !is(byte, letters | DIGIT))
        .unwrap_or(bytes.len())
}

/// The length of a text in quotation marks at the beginning, with both; none if it does not end.
pub(super) fn quoted_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// The length of `{…}` at the beginning, with both braces; none if it does not end. What is in it is not looked at.
pub(super) fn braces_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += memchr2(b'"', b'}', bytes.get(at..)?)?;
        if bytes[at] == b'}' {
            return Some(at + 1);
        }
        at += quoted_length(&bytes[at..])?;
    }
}

/// Name and labels of a series.
pub(super) fn labels(series: &str, rules: Rules, kind: MetricKind) -> Result<Labels, Wrong> {
    let mut reader = Reader {
        text: series,
        at: 0,
        rules,
    };
    let mut pairs = Vec::with_capacity(8);
    let length = name_length(series.as_bytes(), true);
    if length > 0 {
        pairs.push((Cow::Borrowed(NAME), Cow::Borrowed(&series[..length])));
        reader.at = length;
        reader.blanks();
    }
    if reader.at < series.len() {
        reader.braces(&mut pairs, true)?;
    }
    if reader.at < series.len() {
        return Err(Wrong::new(reader.at, "nothing after the labels"));
    }
    if !pairs.iter().any(|(name, _)| name == NAME) {
        return Err(Wrong::new(0, "a metric's name"));
    }
    for (name, value) in &mut pairs {
        normalize(kind, name, value);
    }
    set_of(pairs)
}

/// `{label="value",…}` alone, as exemplars and Loki's streams have it, and what follows it.
pub(crate) fn label_set(text: &str, rules: Rules) -> Result<(Labels, &str), Wrong> {
    let mut reader = Reader { text, at: 0, rules };
    let mut pairs = Vec::with_capacity(8);
    reader.blanks();
    reader.braces(&mut pairs, false)?;
    Ok((set_of(pairs)?, &text[reader.at..]))
}

fn set_of(mut pairs: Pairs<'_>) -> Result<Labels, Wrong> {
    pairs.sort_unstable();
    if let Some(pair) = pairs.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        let expected = format!("the label {:?} once", pair[0].0);
        return Err(Wrong::new(0, expected));
    }
    pairs.retain(|(_, value)| !value.is_empty());
    Ok(Labels::from_sorted(
        pairs.iter().map(|(n, v)| (n.as_ref(), v.as_ref())),
    ))
}

/// Bounds are written in one way, whatever client library wrote them: `le="1"` is `le="1.0"`.
fn normalize(kind: MetricKind, name: &str, value: &mut Cow<'_, str>) {
    let bound = match kind {
        MetricKind::Histogram => "le",
        MetricKind::Summary => "quantile",
        _ => return,
    };
    if name == bound
        && let Some(number) = number::parse_float(value.as_bytes())
    {
        *value = Cow::Owned(number::openmetrics_float_text(number));
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    rules: Rules,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn blanks(&mut self) {
        if self.rules == Rules::Text {
            let blank = |b: &&u8| matches!(b, b' ' | b'\t');
            self.at += self.rest().iter().take_while(blank).count();
        }
    }

    /// Takes one byte, and the blanks behind it.
    fn take(&mut self, byte: u8) -> bool {
        let found = self.rest().first() == Some(&byte);
        if found {
            self.at += 1;
            self.blanks();
        }
        found
    }

    fn wrong<T>(&self, expected: &'static str) -> Result<T, Wrong> {
        Err(Wrong::new(self.at, expected))
    }

    /// Reads up to the closing brace, but not what follows it.
    fn braces(&mut self, pairs: &mut Pairs<'a>, metric: bool) -> Result<(), Wrong> {
        if !self.take(b'{') {
            return self.wrong("`{`");
        }
        let mut open = false;
        loop {
            if self.rest().first() == Some(&b'}') {
                if open && self.rules == Rules::Strict {
                    return self.wrong("a label after the comma");
                }
                self.at += 1;
                return Ok(());
            }
            self.pair(pairs, metric)?;
            open = self.take(b',');
            if !open && self.rest().first() != Some(&b'}') && self.rules != Rules::Text {
                return self.wrong("`,` or `}`");
            }
        }
    }

    /// `label="value"`, `"a label"="value"`, or `"the metric's name"`.
    fn pair(&mut self, pairs: &mut Pairs<'a>, metric: bool) -> Result<(), Wrong> {
        let begin = self.at;
        let name = if self.rest().first() == Some(&b'"') {
            self.quoted()?
        } else {
            let length = name_length(self.rest(), false);
            self.at += length;
            Cow::Borrowed(&self.text[begin..begin + length])
        };
        if name.is_empty() {
            return Err(Wrong::new(begin, "a label's name"));
        }
        self.blanks();
        let quoted = self.text.as_bytes()[begin] == b'"';
        if metric && quoted && matches!(self.rest().first(), Some(b',' | b'}')) {
            if pairs.iter().any(|(name, _)| name == NAME) {
                return Err(Wrong::new(begin, "one name of the metric"));
            }
            pairs.push((Cow::Borrowed(NAME), name));
            return Ok(());
        }
        if !self.take(b'=') {
            return self.wrong("`=`");
        }
        if self.rest().first() != Some(&b'"') {
            return self.wrong("a label's value in quotation marks");
        }
        let value = self.quoted()?;
        self.blanks();
        pairs.push((name, value));
        Ok(())
    }

    fn quoted(&mut self) -> Result<Cow<'a, str>, Wrong> {
        let Some(length) = quoted_length(self.rest()) else {
            return self.wrong("a closing quotation mark");
        };
        let inner = &self.text[self.at + 1..self.at + length - 1];
        if self.rules != Rules::Text && inner.contains('\n') {
            return self.wrong("a closing quotation mark in the line");
        }
        self.at += length;
        Ok(unescape(inner, true))
    }
}

/// `\\`, `\n` and, where there are quotation marks around, `\"`; any other backslash stands for itself.
pub(super) fn unescape(text: &str, quoted: bool) -> Cow<'_, str> {
    let Some(first) = memchr::memchr(b'\\', text.as_bytes()) else {
        return Cow::Borrowed(text);
    };
    let mut plain = String::with_capacity(text.len());
    plain.push_str(&text[..first]);
    let mut characters = text[first..].chars();
    while let Some(c) = characters.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        let rest = characters.as_str();
        let escaped = match rest.chars().next() {
            Some('\\') => '\\',
            Some('n') => '\n',
            Some('"') if quoted => '"',
            _ => {
                plain.push('\\');
                continue;
            }
        };
        plain.push(escaped);
        characters.next();
    }
    Cow::Owned(plain)
}
