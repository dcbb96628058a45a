//! The language of the scripts: `load`, `clear` and `eval` with what it expects.

use regex::Regex;
use wharf_signal::Labels;

use super::series::{Point, parse_series, signed};
use crate::text::{parse_duration, unquote};

/// A script.
#[derive(Debug, Clone)]
pub struct Script {
    /// What it does, in its order.
    pub commands: Vec<Command>,
}

/// One thing that a script does.
#[derive(Debug, Clone)]
pub enum Command {
    /// Forgets all samples.
    Clear,
    /// Adds samples.
    Load(Load),
    /// Asks, and compares the answer.
    Eval(Box<Eval>),
}

/// Samples to add.
#[derive(Debug, Clone)]
pub struct Load {
    /// Milliseconds between two points; the first is at 0.
    pub step: i64,
    /// The series.
    pub series: Vec<(Labels, Vec<Point>)>,
    /// Whether histograms are to be added that are native forms of classic ones.
    pub with_native: bool,
    /// Whether samples have times at which they began.
    pub with_start_times: bool,
}

/// When an eval asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At one time, in milliseconds.
    Instant(i64),
    /// At several.
    Range {
        /// The first, in milliseconds.
        start: i64,
        /// The last, if it is a whole number of steps away.
        end: i64,
        /// Milliseconds between two.
        step: i64,
    },
}

/// A question and what its answer has to be.
#[derive(Debug, Clone)]
pub struct Eval {
    /// Its line in the script, from 1.
    pub line: usize,
    /// The question.
    pub query: String,
    /// When.
    pub when: When,
    /// The answer.
    pub expect: Expectations,
}

/// A text that is expected.
#[derive(Debug, Clone)]
pub enum Message {
    /// Any.
    Any,
    /// Exactly this.
    Exact(String),
    /// One that matches.
    Regex(Regex),
}

impl Message {
    /// Whether a text is it.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(expected) => expected == text,
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

/// The value that is expected.
#[derive(Debug, Clone)]
pub enum Expected {
    /// Series with their values, in this order if it is ordered.
    Series(Vec<(Labels, Vec<Point>)>),
    /// A number.
    Scalar(f64),
    /// A text.
    String(String),
}

/// What the answer has to be.
#[derive(Debug, Clone)]
pub struct Expectations {
    /// The value.
    pub value: Expected,
    /// An error instead.
    pub fail: Option<Message>,
    /// All of these warnings, and no others. Empty: not looked at.
    pub warn: Vec<Message>,
    /// All of these infos, and no others. Empty: not looked at.
    pub info: Vec<Message>,
    /// No warning at all.
    pub no_warn: bool,
    /// No info at all.
    pub no_info: bool,
    /// In the order of the script.
    pub ordered: bool,
    /// The times of a range vector: start, end and step, in milliseconds.
    pub times: Option<(i64, i64, i64)>,
}

/// A script that is none.
#[derive(Debug, Clone, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct ScriptError {
    /// Where, from 1.
    pub line: usize,
    /// Why.
    pub message: String,
}

struct Patterns {
    load: Regex,
    instant: Regex,
    range: Regex,
    times: Regex,
    expect: Regex,
}

impl Patterns {
    fn new() -> Result<Self, regex::Error> {
        Ok(Self {
            load: Regex::new(r"^load(?:_(with_nhcb))?\s+(.+?)$")?,
            instant: Regex::new(
                r"^eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(.+?))?\s+(.+)$",
            )?,
            range: Regex::new(
                r"^eval(?:_(fail|warn|info))?\s+range\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+?)\s+(.+)$",
            )?,
            times: Regex::new(r"^expect range vector\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+)$")?,
            expect: Regex::new(
                r"^expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(regex|msg):(.+))?$",
            )?,
        })
    }
}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    /// A line means nothing: which, and why.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        let patterns = Patterns::new().map_err(|error| ScriptError {
            line: 0,
            message: error.to_string(),
        })?;
        let lines: Vec<&str> = text
            .lines()
            .map(|line| line.trim())
            .map(|line| if line.starts_with('#') { "" } else { line })
            .collect();
        let mut commands = Vec::new();
        let mut next = 0;
        while let Some(head) = lines.get(next) {
            let line = next + 1;
            next += 1;
            let body_end = lines[next..].iter().position(|l| l.is_empty());
            let body = &lines[next..body_end.map_or(lines.len(), |length| next + length)];
            let fail = |message: String| ScriptError { line, message };
            let word = head.split_whitespace().next().unwrap_or_default();
            match word.to_ascii_lowercase().as_str() {
                "" => {}
                "clear" => commands.push(Command::Clear),
                word if word.starts_with("load") => {
                    commands.push(Command::Load(load(&patterns, head, body).map_err(fail)?));
                    next += body.len();
                }
                word if word.starts_with("eval") => {
                    let (eval, used) = eval(&patterns, line, head, body).map_err(fail)?;
                    commands.push(Command::Eval(Box::new(eval)));
                    next += used;
                }
                _ => return Err(fail(format!("invalid command: {head}"))),
            }
        }
        Ok(Self { commands })
    }
}

fn load(patterns: &Patterns, head: &str, body: &[&str]) -> Result<Load, String> {
    let parts = patterns.load.captures(head).ok_or("invalid load command")?;
    let mut load = Load {
        step: parse_duration(&parts[2])?,
        series: Vec::new(),
        with_native: parts.get(1).is_some(),
        with_start_times: false,
    };
    for line in body {
        let metric = line.split_whitespace().next().unwrap_or_default();
        if metric.ends_with("@st") {
            load.with_start_times = true;
        } else {
            load.series.push(parse_series(line)?);
        }
    }
    Ok(load)
}

/// An eval, and how many lines of its body belong to it.
fn eval(
    patterns: &Patterns,
    line: usize,
    head: &str,
    body: &[&str],
) -> Result<(Eval, usize), String> {
    let (modifier, when, query) = if let Some(parts) = patterns.instant.captures(head) {
        let at = parts
            .get(2)
            .map_or(Ok(0), |at| parse_duration(at.as_str()))?;
        (parts.get(1), When::Instant(at), parts[3].to_owned())
    } else if let Some(parts) = patterns.range.captures(head) {
        let when = When::Range {
            start: parse_duration(&parts[2])?,
            end: parse_duration(&parts[3])?,
            step: parse_duration(&parts[4])?,
        };
        (parts.get(1), when, parts[5].to_owned())
    } else {
        return Err("invalid eval command".to_owned());
    };
    let mut expect = Expectations {
        value: Expected::Series(Vec::new()),
        fail: None,
        warn: Vec::new(),
        info: Vec::new(),
        no_warn: false,
        no_info: false,
        ordered: false,
        times: None,
    };
    match modifier.map(|m| m.as_str()) {
        Some("fail") => expect.fail = Some(Message::Any),
        Some("ordered") => expect.ordered = true,
        Some("warn") => expect.warn.push(Message::Any),
        Some("info") => expect.info.push(Message::Any),
        _ => {}
    }
    let mut used = 0;
    for line in body {
        used += 1;
        if !expectation(patterns, line, &mut expect)? {
            break;
        }
    }
    let eval = Eval {
        line,
        query,
        when,
        expect,
    };
    Ok((eval, used))
}

/// Takes one line in. False if it is the last of its eval.
fn expectation(patterns: &Patterns, line: &str, expect: &mut Expectations) -> Result<bool, String> {
    let regex = |pattern: &str| {
        let regex = Regex::new(pattern.trim()).map_err(|error| error.to_string())?;
        Ok::<_, String>(Message::Regex(regex))
    };
    if let Some(message) = line.strip_prefix("expected_fail_message") {
        expect.fail = Some(Message::Exact(message.trim().to_owned()));
        return Ok(false);
    }
    if let Some(pattern) = line.strip_prefix("expected_fail_regexp") {
        expect.fail = Some(regex(pattern)?);
        return Ok(false);
    }
    if let Some(parts) = patterns.times.captures(line) {
        let [start, end, step] = [&parts[1], &parts[2], &parts[3]].map(parse_duration);
        expect.times = Some((start?, end?, step?));
        return Ok(true);
    }
    if let Some(text) = line.strip_prefix("expect string") {
        expect.value = Expected::String(unquote(text.trim())?);
        return Ok(true);
    }
    if line.split_whitespace().next() == Some("expect") {
        let parts = patterns
            .expect
            .captures(line)
            .ok_or("invalid expect statement")?;
        let text = parts.get(3).map_or("", |text| text.as_str().trim());
        let message = match parts.get(2).map(|how| how.as_str()) {
            Some("msg") => Message::Exact(text.to_owned()),
            Some(_) => regex(text)?,
            None => Message::Any,
        };
        match &parts[1] {
            "fail" => expect.fail = Some(message),
            "warn" => expect.warn.push(message),
            "info" => expect.info.push(message),
            "no_warn" => expect.no_warn = true,
            "no_info" => expect.no_info = true,
            _ => expect.ordered = true,
        }
        return Ok(true);
    }
    if let Some(value) = signed(line) {
        expect.value = Expected::Scalar(value);
        return Ok(false);
    }
    let series = parse_series(line)?;
    match &mut expect.value {
        Expected::Series(all) => all.push(series),
        other => *other = Expected::Series(vec![series]),
    }
    Ok(true)
}
