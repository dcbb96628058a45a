//! The way through an exposition, line by line.

use std::ops::ControlFlow;
use std::str::from_utf8;

use memchr::{memchr, memrchr};
use wharf_signal::{Exemplar, MetricKind};

use super::number::{parse_float, parse_seconds};
use super::series::{Rules, braces_length, label_set, name_length, quoted_length, unescape};
use super::{Format, Item, ParseError, SampleLine, line_after};

/// Takes one item; breaks when it has enough.
type Visit<'v, 'a> = &'v mut dyn FnMut(Item<'a>) -> ControlFlow<()>;

/// Reads an exposition and gives what it says, in its order.
///
/// Names and labels of samples are not looked into: a series that is written wrongly is found when its
/// [`labels`](SampleLine::labels) are asked for. What has been given before an error is found is good by itself, but a scrape
/// that fails is one that found nothing.
///
/// # Errors
/// The first line that is not written as `format` wants it. OpenMetrics has to end with `# EOF`.
pub fn parse<'a>(
    content: &'a [u8],
    format: Format,
    visit: &mut dyn FnMut(Item<'a>) -> ControlFlow<()>,
) -> Result<(), ParseError> {
    let rules = match format {
        Format::Text => Rules::Text,
        Format::OpenMetrics => Rules::OpenMetrics,
    };
    parse_by(content, rules, visit)
}

pub(super) fn parse_by<'a>(
    content: &'a [u8],
    rules: Rules,
    visit: Visit<'_, 'a>,
) -> Result<(), ParseError> {
    let mut parser = Parser {
        content,
        end: 0,
        at: 0,
        kind: MetricKind::Unknown,
        rules,
    };
    loop {
        // Text is checked once for the whole, and again behind each comment that is none.
        let begin = parser.at;
        let (text, bad) = match from_utf8(&content[begin..]) {
            Ok(text) => (text, None),
            Err(error) => {
                let bad = begin + error.valid_up_to();
                let line = memrchr(b'\n', &content[begin..bad]).map_or(begin, |n| begin + n + 1);
                let text = from_utf8(&content[begin..line]).unwrap_or_default();
                (text, Some(line))
            }
        };
        parser.end = begin + text.len();
        if parser.lines(text, begin, visit)?.is_break() {
            return Ok(());
        }
        let Some(line) = bad else {
            return match rules {
                Rules::Text => Ok(()),
                _ => Err(parser.error(content.len(), "`# EOF` as the last line")),
            };
        };
        let length = memchr(b'\n', &content[line..]).map_or(content.len() - line, |n| n + 1);
        let bytes = content[line..line + length].trim_ascii_start();
        let comment = bytes.first() == Some(&b'#') && !starts_with_word(bytes, b"HELP");
        if rules != Rules::Text || !comment {
            return Err(parser.error(line, "UTF-8"));
        }
        parser.at = line + length;
    }
}

/// Whether a comment's first word is this.
fn starts_with_word(comment: &[u8], word: &[u8]) -> bool {
    let blanks = comment[1..]
        .iter()
        .take_while(|b| matches!(b, b' ' | b'\t'));
    let rest = &comment[1 + blanks.count()..];
    rest.starts_with(word) && matches!(rest.get(word.len()), Some(b' ' | b'\t'))
}

struct Parser<'a> {
    content: &'a [u8],
    /// The end of what is known to be UTF-8.
    end: usize,
    at: usize,
    kind: MetricKind,
    rules: Rules,
}

impl<'a> Parser<'a> {
    fn lines(
        &mut self,
        text: &'a str,
        begin: usize,
        visit: Visit<'_, 'a>,
    ) -> Result<ControlFlow<()>, ParseError> {
        while self.at < self.end {
            if self.rules == Rules::Text {
                self.blanks();
            }
            let flow = match self.peek() {
                None => break,
                Some(b'\n') if self.rules == Rules::Text => {
                    self.at += 1;
                    continue;
                }
                Some(b'#') => {
                    let item = match self.rules {
                        Rules::Text => self.text_comment(text, begin)?,
                        _ => Some(self.openmetrics_comment(text, begin)?),
                    };
                    match item {
                        Some(Item::Eof) => {
                            if self.at < self.content.len() {
                                return Err(self.error(self.at, "nothing after `# EOF`"));
                            }
                            let _enough = visit(Item::Eof);
                            return Ok(ControlFlow::Break(()));
                        }
                        Some(item) => visit(item),
                        None => continue,
                    }
                }
                Some(_) => visit(Item::Sample(self.sample(text, begin)?)),
            };
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn rest(&self) -> &'a [u8] {
        &self.content[self.at.min(self.end)..self.end]
    }

    fn peek(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    #[cold]
    fn error(&self, at: usize, expected: impl Into<std::borrow::Cow<'static, str>>) -> ParseError {
        let at = at.min(self.content.len());
        ParseError::new(
            line_after(&self.content[..at]),
            expected,
            &self.content[at..],
        )
    }

    /// What separates the parts of a sample's line: one blank, or in text any number of them.
    fn gap(&mut self) -> bool {
        match self.rules {
            Rules::Text => self.blanks(),
            _ if self.peek() == Some(b' ') => self.at += 1,
            _ => return false,
        }
        true
    }

    /// Up to the next blank or the end of the line.
    fn word(&mut self) -> &'a [u8] {
        let rest = self.rest();
        let stop: fn(&u8) -> bool = match self.rules {
            Rules::Text => |b| matches!(b, b' ' | b'\t' | b'\n'),
            _ => |b| matches!(b, b' ' | b'\n'),
        };
        let length = rest.iter().position(stop).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn line_end(&mut self) -> bool {
        match self.peek() {
            Some(b'\n') => self.at += 1,
            // A line before one that is no text ends with a line feed, so this is the end of all.
            None if self.rules == Rules::Text => {}
            _ => return false,
        }
        true
    }

    fn sample(&mut self, text: &'a str, offset: usize) -> Result<SampleLine<'a>, ParseError> {
        let begin = self.at;
        self.at += name_length(self.rest(), true);
        let mut end = self.at;
        if self.rules == Rules::Text {
            self.blanks();
        }
        if self.peek() == Some(b'{') {
            let Some(length) = braces_length(self.rest()) else {
                return Err(self.error(self.at, "`}` after the labels"));
            };
            self.at += length;
            end = self.at;
        } else if begin == end {
            return Err(self.error(begin, "a metric's name or a comment"));
        } else {
            self.at = end;
        }
        if !self.gap() {
            return Err(self.error(self.at, "one blank and a value"));
        }
        let at = self.at;
        let Some(value) = parse_float(self.word()) else {
            return Err(self.error(at, "a value"));
        };
        let mut sample = SampleLine {
            series: &text[begin - offset..end - offset],
            value,
            t: None,
            exemplar: None,
            kind: self.kind,
            format: match self.rules {
                Rules::Text => Format::Text,
                _ => Format::OpenMetrics,
            },
            before: &self.content[..begin],
        };
        if self.line_end() {
            return Ok(sample);
        }
        self.rest_of_sample(&mut sample, text, offset)?;
        Ok(sample)
    }

    /// Time and exemplar.
    fn rest_of_sample(
        &mut self,
        sample: &mut SampleLine<'a>,
        text: &'a str,
        offset: usize,
    ) -> Result<(), ParseError> {
        let exemplars = self.rules != Rules::Text;
        if !self.gap() {
            return Err(self.error(self.at, "a blank or the line's end"));
        }
        if !exemplars && self.line_end() {
            return Ok(());
        }
        if !(exemplars && self.peek() == Some(b'#')) {
            let at = self.at;
            let word = self.word();
            sample.t = match self.rules {
                Rules::Text => from_utf8(word).ok().and_then(|digits| digits.parse().ok()),
                _ => parse_seconds(word),
            };
            if sample.t.is_none() {
                return Err(self.error(at, "a timestamp or the line's end"));
            }
            if !exemplars {
                self.blanks();
            }
            if self.line_end() {
                return Ok(());
            }
            if !(exemplars && self.gap() && self.peek() == Some(b'#')) {
                return Err(self.error(self.at, "the line's end after the timestamp"));
            }
        }
        sample.exemplar = Some(self.exemplar(&text[self.at - offset..])?);
        Ok(())
    }

    /// `# {label="value"} value timestamp`
    fn exemplar(&mut self, text: &'a str) -> Result<Exemplar, ParseError> {
        let begin = self.at;
        let line = text.split('\n').next().unwrap_or_default();
        let Some(set) = line.strip_prefix("# ") else {
            return Err(self.error(begin, "`# {` before an exemplar"));
        };
        let (labels, rest) =
            label_set(set, self.rules).map_err(|wrong| self.error(begin, wrong.expected()))?;
        self.at += line.len() - rest.len();
        if !self.gap() {
            return Err(self.error(self.at, "one blank and the exemplar's value"));
        }
        let at = self.at;
        let Some(value) = parse_float(self.word()) else {
            return Err(self.error(at, "the exemplar's value"));
        };
        let mut t = None;
        if self.gap() {
            let at = self.at;
            t = parse_seconds(self.word());
            if t.is_none() {
                return Err(self.error(at, "the exemplar's timestamp"));
            }
        }
        if !self.line_end() {
            return Err(self.error(self.at, "the line's end after the exemplar"));
        }
        Ok(Exemplar { labels, value, t })
    }

    /// A comment of the text format: none if it is only that.
    fn text_comment(
        &mut self,
        text: &'a str,
        begin: usize,
    ) -> Result<Option<Item<'a>>, ParseError> {
        let line_at = self.at;
        let rest = self.rest();
        let length = memchr(b'\n', rest).unwrap_or(rest.len());
        let line = &text[self.at - begin..self.at - begin + length];
        self.at += length + 1;
        let words = line[1..].trim_start_matches([' ', '\t']);
        let help = starts_with_word(line.as_bytes(), b"HELP");
        if words.len() == line.len() - 1 || !(help || starts_with_word(line.as_bytes(), b"TYPE")) {
            return Ok(None);
        }
        let words = words[4..].trim_start_matches([' ', '\t']);
        let Some((family, rest)) = family(words) else {
            return Err(self.error(line_at, "a metric's name after `HELP` or `TYPE`"));
        };
        if help {
            let text = rest.strip_prefix([' ', '\t']).unwrap_or(rest);
            let text = unescape(text, false);
            return Ok(Some(Item::Help { family, text }));
        }
        let Some(kind) = text_kind(rest.trim_matches([' ', '\t'])) else {
            return Err(self.error(
                line_at,
                "`counter`, `gauge`, `histogram`, `summary` or `untyped`",
            ));
        };
        self.kind = kind;
        Ok(Some(Item::Type { family, kind }))
    }

    fn openmetrics_comment(&mut self, text: &'a str, begin: usize) -> Result<Item<'a>, ParseError> {
        let line_at = self.at;
        let rest = self.rest();
        let end = memchr(b'\n', rest);
        let length = end.unwrap_or(rest.len());
        let line = &text[self.at - begin..self.at - begin + length];
        self.at += length + usize::from(end.is_some());
        if line == "# EOF" {
            return Ok(Item::Eof);
        }
        if end.is_none() {
            return Err(self.error(line_at, "`# EOF` as the last line"));
        }
        let word = line.get(..7).unwrap_or(line);
        if !["# HELP ", "# TYPE ", "# UNIT "].contains(&word) {
            return Err(self.error(line_at, "`# HELP `, `# TYPE `, `# UNIT ` or `# EOF`"));
        }
        let named = family(&line[7..]);
        let Some((family, said)) =
            named.and_then(|(family, rest)| Some((family, rest.strip_prefix(' ')?)))
        else {
            return Err(self.error(line_at, "a metric's name, one blank and a text"));
        };
        Ok(match word {
            "# HELP " => Item::Help {
                family,
                text: unescape(said, true),
            },
            "# TYPE " => {
                let Some(kind) = openmetrics_kind(said) else {
                    return Err(self.error(line_at, "a type of OpenMetrics"));
                };
                self.kind = kind;
                Item::Type { family, kind }
            }
            _ => {
                let of_family = family
                    .strip_suffix(said)
                    .is_some_and(|stem| stem.len() > 1 && stem.ends_with('_'));
                if !said.is_empty() && !of_family {
                    return Err(self.error(line_at, "a name that ends with `_` and the unit"));
                }
                Item::Unit { family, unit: said }
            }
        })
    }
}

/// A family's name, and what follows it.
fn family(text: &str) -> Option<(&str, &str)> {
    if text.starts_with('"') {
        let length = quoted_length(text.as_bytes())?;
        return Some((&text[1..length - 1], &text[length..]));
    }
    let length = name_length(text.as_bytes(), true);
    let (name, rest) = text.split_at(length);
    (length > 0 && (rest.is_empty() || rest.starts_with([' ', '\t']))).then_some((name, rest))
}

fn text_kind(word: &str) -> Option<MetricKind> {
    match word {
        "untyped" | "unknown" => Some(MetricKind::Unknown),
        "counter" | "gauge" | "histogram" | "summary" => openmetrics_kind(word),
        _ => None,
    }
}

fn openmetrics_kind(word: &str) -> Option<MetricKind> {
    [
        MetricKind::Unknown,
        MetricKind::Counter,
        MetricKind::Gauge,
        MetricKind::Histogram,
        MetricKind::GaugeHistogram,
        MetricKind::Summary,
        MetricKind::Info,
        MetricKind::StateSet,
    ]
    .into_iter()
    .find(|kind| kind.as_str() == word)
}
