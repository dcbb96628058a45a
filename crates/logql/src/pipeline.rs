//! A pipeline, ready to take lines.
//!
//! Parsers look only for labels that somebody asks for, where that is known: in metrics by their grouping, in queries for lines by
//! the filters that follow at once. A line that these refuse is never parsed as a whole.

use std::borrow::Cow;

use wharf_signal::{Labels, LogEntry};

use crate::ast::{LabelFilter, LabelFormat, LabelPick, LogExpr, Stage};
use crate::fields::{ERROR, ERROR_DETAILS, EXTRACTED, Fields, PRESERVE_ERROR, Wanted};
use crate::parser::ParseError;
use crate::stage::decolorize::decolorize;
use crate::stage::json_path::{self, Extractor};
use crate::stage::label_filter::LabelTest;
use crate::stage::line_filter::{LineTest, contained};
use crate::stage::needed::Needed;
use crate::stage::pattern::Pattern;
use crate::stage::regexp::{self, RegexpParser};
use crate::stage::{json, logfmt};
use crate::template::{Scope, Template};

const TEMPLATE_FAILED: &str = "TemplateFormatErr";

/// Takes one line after another.
pub(crate) struct Pipeline {
    steps: Vec<Step>,
    pub(crate) fields: Fields,
    wanted: Wanted,
    scratch: String,
    /// What `now` is in templates, in nanoseconds.
    now: i64,
}

enum Step {
    Line(LineTest),
    Json {
        texts: Vec<Needed>,
        early: Early,
    },
    JsonPaths(Vec<Extractor>),
    Logfmt {
        strict: bool,
        keep_empty: bool,
        texts: Vec<Needed>,
        early: Early,
    },
    LogfmtSome {
        strict: bool,
        some: Vec<(String, String)>,
    },
    Regexp(RegexpParser),
    Pattern(Pattern),
    Unpack,
    Decolorize,
    Label(LabelTest),
    LineFormat(Template),
    LabelFormat(Vec<Format>),
    Drop(Vec<LabelPick>),
    Keep(Vec<LabelPick>),
}

/// The filters that follow a parser at once, and what they ask for; none if that would not help.
#[derive(Default)]
struct Early {
    tests: Vec<LabelTest>,
    wanted: Option<Wanted>,
}

enum Format {
    Rename { to: String, from: String },
    Template { to: String, template: Template },
}

/// Which labels a query needs of a line.
#[derive(Debug, Clone, Default)]
pub(crate) struct Need {
    /// These, beside what the stages themselves ask for; none: all.
    pub(crate) labels: Option<Vec<String>>,
}

/// What a store may be asked to leave out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Hints {
    pub(crate) contains: Vec<String>,
    pub(crate) metadata: Vec<(String, String)>,
}

/// Labels of structured metadata by which blocks can be left out: those that are hardly ever labels of a stream, for which the hint
/// would say nothing.
const METADATA: [&str; 3] = ["trace_id", "span_id", "request_id"];

impl Pipeline {
    /// Whether all stages have sense.
    ///
    /// # Errors
    /// Which has none, and why.
    pub(crate) fn check(stages: &[Stage]) -> Result<(), ParseError> {
        steps(stages).map(drop)
    }

    /// A pipeline.
    ///
    /// # Errors
    /// A stage has no sense.
    pub(crate) fn new(stages: &[Stage], need: &Need, now: i64) -> Result<Self, ParseError> {
        let mut steps = steps(stages)?;
        let mut fields = Fields::default();
        let wanted = match &need.labels {
            None => Wanted::All,
            Some(labels) => {
                let mut names = labels.clone();
                let known = steps.iter().all(|step| step.names(&mut names));
                let names = with_plain(names);
                fields.preserve_error = names.iter().any(|name| name == ERROR);
                match (known, names.is_empty()) {
                    (false, _) => Wanted::All,
                    (true, true) => Wanted::Nothing,
                    (true, false) => Wanted::only(names),
                }
            }
        };
        need_texts(&mut steps);
        if matches!(wanted, Wanted::All) {
            look_ahead(&mut steps);
        }
        Ok(Self {
            steps,
            fields,
            wanted,
            scratch: String::new(),
            now,
        })
    }

    /// Takes a line: what it has become, if it passes. Its labels are in `fields`.
    pub(crate) fn process<'a>(
        &mut self,
        stream: &Labels,
        metadata: &Labels,
        nanos: i64,
        line: &'a str,
    ) -> Option<Cow<'a, str>> {
        let Self {
            steps,
            fields,
            wanted,
            scratch,
            now,
        } = self;
        fields.begin(stream, metadata);
        wanted.begin(fields);
        let mut line = Cow::Borrowed(line);
        for step in steps {
            match step {
                Step::Line(test) => {
                    if !test.passes(&line) {
                        return None;
                    }
                }
                Step::Label(test) => {
                    if !test.passes(fields) {
                        return None;
                    }
                }
                Step::Json { texts, early } => {
                    if !texts.iter().all(|text| text.may_become(fields, &line)) {
                        return None;
                    }
                    let passes = early.passes(fields, |fields, wanted| {
                        json::extract(&line, fields, wanted, scratch);
                    });
                    if !passes {
                        return None;
                    }
                    json::extract(&line, fields, wanted, scratch);
                }
                Step::Logfmt {
                    strict,
                    keep_empty,
                    texts,
                    early,
                } => {
                    if !texts.iter().all(|text| text.may_become(fields, &line)) {
                        return None;
                    }
                    let (strict, keep_empty) = (*strict, *keep_empty);
                    let passes = early.passes(fields, |fields, wanted| {
                        logfmt::extract(&line, strict, keep_empty, fields, wanted, scratch);
                    });
                    if !passes {
                        return None;
                    }
                    logfmt::extract(&line, strict, keep_empty, fields, wanted, scratch);
                }
                Step::JsonPaths(extractors) => {
                    if !wanted.is_complete() {
                        json_path::extract(&line, extractors, fields);
                    }
                }
                Step::LogfmtSome { strict, some } => {
                    if !wanted.is_complete() {
                        logfmt::extract_some(&line, *strict, some, fields);
                    }
                }
                Step::Regexp(parser) => parser.extract(&line, fields, wanted),
                Step::Pattern(pattern) => {
                    pattern.captures(&line, |name, value| {
                        regexp::set(name, value, fields, wanted);
                    });
                }
                Step::Unpack => {
                    if let Some(entry) = json_path::unpack(&line, fields, wanted) {
                        line = Cow::Owned(entry);
                    }
                }
                Step::Decolorize => {
                    if let Cow::Owned(plain) = decolorize(&line) {
                        line = Cow::Owned(plain);
                    }
                }
                Step::LineFormat(template) => {
                    let mut out = String::new();
                    let scope = Scope {
                        fields,
                        line: &line,
                        nanos,
                        now: *now,
                    };
                    match template.render(&scope, &mut out) {
                        Ok(()) => line = Cow::Owned(out),
                        Err(error) => fields.set_error(TEMPLATE_FAILED, &error),
                    }
                }
                Step::LabelFormat(formats) => format_labels(formats, fields, &line, nanos, *now),
                Step::Drop(picks) => drop_labels(picks, fields),
                Step::Keep(picks) => keep_labels(picks, fields),
            }
        }
        Some(line)
    }
}

impl Early {
    /// Whether a line may pass the filters that follow; the labels are as before.
    fn passes(
        &mut self,
        fields: &mut Fields,
        extract: impl FnOnce(&mut Fields, &mut Wanted),
    ) -> bool {
        let Some(wanted) = &mut self.wanted else {
            return true;
        };
        let before = fields.mark();
        wanted.reset();
        extract(fields, wanted);
        let passes = self.tests.iter().all(|test| test.passes(fields));
        if passes {
            fields.rewind(before);
        }
        passes
    }
}

impl Step {
    /// Adds the labels that it asks for; false if that may be any.
    fn names(&self, names: &mut Vec<String>) -> bool {
        match self {
            Self::Label(test) => test.names(names),
            Self::LineFormat(template) => return template.names(names),
            Self::LabelFormat(formats) => {
                return formats.iter().all(|format| match format {
                    Format::Rename { from, .. } => {
                        names.push(from.clone());
                        true
                    }
                    Format::Template { template, .. } => template.names(names),
                });
            }
            Self::Drop(picks) | Self::Keep(picks) => {
                for pick in picks {
                    if let LabelPick::Matcher(matcher) = pick {
                        names.push(matcher.name.clone());
                    }
                }
            }
            _ => {}
        }
        true
    }
}

/// The names, each once, and those that end in `_extracted` also without it: which of them a parser finds depends on the stream.
fn with_plain(names: Vec<String>) -> Vec<String> {
    let mut all: Vec<String> = Vec::with_capacity(names.len());
    for name in names {
        let plain = name.strip_suffix(EXTRACTED).map(str::to_owned);
        for name in [Some(name), plain].into_iter().flatten() {
            if !name.is_empty() && !all.contains(&name) {
                all.push(name);
            }
        }
    }
    all
}

/// Lets parsers know the values for which filters ask that follow them at once: most lines have none of them, and are not parsed.
fn need_texts(steps: &mut [Step]) {
    for at in 0..steps.len() {
        let (before, after) = steps.split_at_mut(at + 1);
        let (texts, unchanged) = match &mut before[at] {
            Step::Json { texts, .. } => (texts, json::is_unchanged as fn(&str) -> bool),
            Step::Logfmt { texts, .. } => (texts, logfmt::is_unchanged as fn(&str) -> bool),
            _ => continue,
        };
        let mut found = Vec::new();
        for step in after {
            match step {
                Step::Label(test) => test.equalities(&mut found),
                Step::Line(_) => {}
                _ => break,
            }
        }
        found.retain(|(name, value)| {
            ![ERROR, ERROR_DETAILS, PRESERVE_ERROR].contains(&name.as_str()) && unchanged(value)
        });
        texts.extend(
            found
                .into_iter()
                .map(|(name, value)| Needed::new(name, value)),
        );
    }
}

/// Lets parsers know the filters that follow them at once.
fn look_ahead(steps: &mut [Step]) {
    for at in 0..steps.len() {
        let (before, after) = steps.split_at_mut(at + 1);
        let early = match &mut before[at] {
            Step::Json { early, .. } | Step::Logfmt { early, .. } => early,
            _ => continue,
        };
        let mut names = Vec::new();
        for step in after {
            let Step::Label(test) = step else { break };
            test.names(&mut names);
            early.tests.push(test.clone());
        }
        // Errors are known at the end of a line only.
        let errors = names
            .iter()
            .any(|name| name == ERROR || name == PRESERVE_ERROR);
        if !names.is_empty() && !errors {
            early.wanted = Some(Wanted::only(with_plain(names)));
        }
    }
}

fn steps(stages: &[Stage]) -> Result<Vec<Step>, ParseError> {
    let step = |stage: &Stage| {
        step(stage).map_err(|error| ParseError::whole(format!("stage '{stage}' : {error}")))
    };
    stages.iter().map(step).collect()
}

fn step(stage: &Stage) -> Result<Step, String> {
    Ok(match stage {
        Stage::Line(filter) => Step::Line(LineTest::new(filter)?),
        Stage::Json(fields) if fields.is_empty() => Step::Json {
            texts: Vec::new(),
            early: Early::default(),
        },
        Stage::Json(fields) => {
            let extractors: Result<_, String> = fields
                .iter()
                .map(|field| {
                    let path = json_path::parse_path(&field.path)
                        .map_err(|e| format!("cannot parse expression [{}]: {e}", field.path))?;
                    let label = field.label.clone();
                    Ok(Extractor { label, path })
                })
                .collect();
            Step::JsonPaths(extractors?)
        }
        Stage::Logfmt(logfmt) if logfmt.fields.is_empty() => Step::Logfmt {
            strict: logfmt.strict,
            keep_empty: logfmt.keep_empty,
            texts: Vec::new(),
            early: Early::default(),
        },
        Stage::Logfmt(logfmt) => Step::LogfmtSome {
            strict: logfmt.strict,
            some: logfmt
                .fields
                .iter()
                .map(|field| (field.label.clone(), field.path.clone()))
                .collect(),
        },
        Stage::Regexp(pattern) => Step::Regexp(RegexpParser::new(pattern)?),
        Stage::Pattern(pattern) => Step::Pattern(Pattern::parser(pattern)?),
        Stage::Unpack => Step::Unpack,
        Stage::Decolorize => Step::Decolorize,
        Stage::Label(filter) => Step::Label(LabelTest::new(filter)?),
        Stage::LineFormat(template) => Step::LineFormat(
            Template::parse(template).map_err(|e| format!("invalid line template: {e}"))?,
        ),
        Stage::LabelFormat(formats) => Step::LabelFormat(label_formats(formats)?),
        Stage::Drop(picks) => Step::Drop(picks.clone()),
        Stage::Keep(picks) => Step::Keep(picks.clone()),
    })
}

fn label_formats(formats: &[LabelFormat]) -> Result<Vec<Format>, String> {
    let mut names: Vec<&str> = Vec::new();
    let mut all = Vec::with_capacity(formats.len());
    for format in formats {
        let (LabelFormat::Rename { to, .. } | LabelFormat::Template { to, .. }) = format;
        if to == ERROR {
            return Err(format!("{to} cannot be formatted"));
        }
        if names.contains(&to.as_str()) {
            return Err(format!(
                "multiple label name '{to}' not allowed in a single format operation"
            ));
        }
        names.push(to);
        all.push(match format.clone() {
            LabelFormat::Rename { to, from } => Format::Rename { to, from },
            LabelFormat::Template { to, template } => Format::Template {
                template: Template::parse(&template)
                    .map_err(|e| format!("invalid template for label '{to}': {e}"))?,
                to,
            },
        });
    }
    Ok(all)
}

fn format_labels(formats: &[Format], fields: &mut Fields, line: &str, nanos: i64, now: i64) {
    for format in formats {
        match format {
            Format::Rename { to, from } => {
                if let Some(value) = fields.get(from).map(str::to_owned) {
                    fields.set_parsed(to, &value);
                    fields.remove(from);
                }
            }
            Format::Template { to, template } => {
                let mut out = String::new();
                let scope = Scope {
                    fields,
                    line,
                    nanos,
                    now,
                };
                match template.render(&scope, &mut out) {
                    Ok(()) => fields.set_parsed(to, &out),
                    Err(error) => fields.set_error(TEMPLATE_FAILED, &error),
                }
            }
        }
    }
}

fn drop_labels(picks: &[LabelPick], fields: &mut Fields) {
    for pick in picks {
        let (name, matcher) = match pick {
            LabelPick::Name(name) => (name, None),
            LabelPick::Matcher(matcher) => (&matcher.name, Some(matcher)),
        };
        let value = match name.as_str() {
            ERROR => fields.error(),
            ERROR_DETAILS => fields.details(),
            name => fields.get(name).unwrap_or_default(),
        };
        if !matcher.is_none_or(|matcher| matcher.matches(value)) {
            continue;
        }
        match name.as_str() {
            ERROR => fields.clear_error(),
            ERROR_DETAILS => fields.clear_details(),
            name => fields.remove(name),
        }
    }
}

fn keep_labels(picks: &[LabelPick], fields: &mut Fields) {
    let kept = |name: &str, value: &str| {
        picks.iter().any(|pick| match pick {
            LabelPick::Name(kept) => kept == name,
            LabelPick::Matcher(matcher) => matcher.name == name && matcher.matches(value),
        })
    };
    let gone: Vec<String> = fields
        .iter()
        .filter(|(name, _)| ![ERROR, ERROR_DETAILS, PRESERVE_ERROR].contains(name))
        .filter(|(name, value)| !kept(name, value))
        .map(|(name, _)| name.to_owned())
        .collect();
    for name in gone {
        fields.remove(&name);
    }
}

/// What a store may leave out: only by what is asked before the line or the labels are changed.
pub(crate) fn hints(log: &LogExpr) -> Hints {
    let mut hints = Hints::default();
    let mut labels_are_the_stores = true;
    for stage in &log.stages {
        match stage {
            Stage::Line(filter) => hints.contains.extend(contained(filter)),
            Stage::Label(filter) if labels_are_the_stores => {
                metadata(filter, &mut hints.metadata);
            }
            Stage::Label(_) => {}
            // The line is another from here on.
            Stage::Unpack | Stage::Decolorize | Stage::LineFormat(_) => break,
            _ => labels_are_the_stores = false,
        }
    }
    hints.contains.retain(|text| !text.is_empty());
    hints
}

fn metadata(filter: &LabelFilter, found: &mut Vec<(String, String)>) {
    if let Ok(test) = LabelTest::new(filter) {
        test.equalities(found);
        found.retain(|(name, _)| METADATA.contains(&name.as_str()));
    }
}

/// A pipeline for lines as they come.
pub struct Tail {
    matchers: Vec<wharf_signal::Matcher>,
    pipeline: Pipeline,
}

impl Tail {
    /// For a query for lines.
    ///
    /// # Errors
    /// A stage has no sense.
    pub fn new(log: &LogExpr, now: i64) -> Result<Self, ParseError> {
        Ok(Self {
            matchers: log.matchers.clone(),
            pipeline: Pipeline::new(&log.stages, &Need::default(), now)?,
        })
    }

    /// Takes an entry of a stream: its labels and its line by now, if the stream is one that is asked for and the line passes.
    pub fn process(&mut self, stream: &Labels, entry: &LogEntry) -> Option<(Labels, String)> {
        let line = self.process_line(stream, entry)?;
        let all = self.pipeline.fields.all();
        Some((all, line.line))
    }

    /// The same, with the origin of each label.
    pub fn process_line(&mut self, stream: &Labels, entry: &LogEntry) -> Option<crate::LogLine> {
        if !self.matchers.iter().all(|m| m.matches_labels(stream)) {
            return None;
        }
        let pipeline = &mut self.pipeline;
        let line = pipeline.process(stream, &entry.metadata, entry.nanos, &entry.line)?;
        Some(crate::LogLine {
            nanos: entry.nanos,
            line: line.into_owned(),
            stream: pipeline.fields.stream(),
            metadata: pipeline.fields.metadata(),
            parsed: pipeline.fields.parsed(),
        })
    }
}
