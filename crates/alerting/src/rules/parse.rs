//! Rule files of Prometheus (`groups: [{ name, rules }]`), every error with its place.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use wharf_spec::diagnostic::{Findings, excerpt, line_and_column, nearest};
use wharf_spec::yaml::{self, Entry, Kind, Node};

use super::{AlertRule, RecordingRule, Rule, RuleGroup, duration};
use crate::template::Template;

/// What is wrong with a rule file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct RuleFileError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, in characters, from 1.
    pub column: usize,
    /// What is wrong, in one sentence.
    pub message: String,
}

impl fmt::Display for RuleFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}: {}",
            self.file, self.line, self.column, self.message
        )
    }
}

/// Says whether a text is PromQL, and if not, why.
pub type CheckQuery<'a> = &'a dyn Fn(&str) -> Result<(), String>;

const FILE_KEYS: &[&str] = &["groups"];
const GROUP_KEYS: &[&str] = &[
    "name",
    "interval",
    "query_offset",
    "limit",
    "labels",
    "rules",
];
const RULE_KEYS: &[&str] = &[
    "record",
    "alert",
    "expr",
    "for",
    "keep_firing_for",
    "labels",
    "annotations",
];

/// Reads a rule file. `file` is what errors and groups call it.
///
/// # Errors
/// Everything that is wrong with it, in the order of the file; then none of it is used.
pub fn parse(
    bytes: &[u8],
    file: &str,
    check: CheckQuery<'_>,
) -> Result<Vec<RuleGroup>, Vec<RuleFileError>> {
    let text = String::from_utf8_lossy(bytes);
    let mut reader = Reader {
        file,
        check,
        errors: vec![],
    };
    let blank = text.lines().all(|line| {
        let line = line.trim();
        line.is_empty() || line.starts_with('#') || line == "---"
    });
    let mut groups = vec![];
    if !blank {
        let mut findings = Findings::default();
        let root = yaml::parse(bytes, &mut findings);
        for diagnostic in findings.into_sorted() {
            reader.errors.push((diagnostic.span, diagnostic.message));
        }
        if let Some(root) = root {
            groups = reader.groups(&root);
        }
    }
    if reader.errors.is_empty() {
        return Ok(groups);
    }
    reader.errors.sort_by_key(|(span, _)| span.start);
    let error = |(span, message): (Range<usize>, String)| {
        let (line, column) = line_and_column(&text, span.start);
        RuleFileError {
            file: file.to_owned(),
            line,
            column,
            message,
        }
    };
    Err(reader.errors.into_iter().map(error).collect())
}

struct Reader<'a> {
    file: &'a str,
    check: CheckQuery<'a>,
    errors: Vec<(Range<usize>, String)>,
}

impl Reader<'_> {
    fn error(&mut self, span: &Range<usize>, message: impl Into<String>) {
        self.errors.push((span.clone(), message.into()));
    }

    /// The entries of a map, those with unknown keys reported and left out.
    fn entries<'n>(&mut self, node: &'n Node, what: &str, keys: &[&'static str]) -> Vec<&'n Entry> {
        let Kind::Map(entries) = &node.kind else {
            self.error(
                &node.span,
                format!("expected {what}, found {}", node.described()),
            );
            return vec![];
        };
        let mut known = vec![];
        for entry in entries {
            let word = entry.key.text.as_str();
            if keys.contains(&word) {
                known.push(entry);
                continue;
            }
            let help = match nearest(word, keys.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the keys of {what} are {}", keys.join(", ")),
            };
            self.error(
                &entry.key.span,
                format!("unknown key `{}`: {help}", excerpt(word)),
            );
        }
        known
    }

    fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        match &node.kind {
            Kind::List(items) => items,
            Kind::Null => &[],
            _ => {
                self.error(
                    &node.span,
                    format!("expected {what}, found {}", node.described()),
                );
                &[]
            }
        }
    }

    fn text<'n>(&mut self, node: &'n Node) -> Option<&'n str> {
        match &node.kind {
            Kind::Scalar(scalar) => Some(&scalar.text),
            _ => {
                self.error(
                    &node.span,
                    format!("expected a text, found {}", node.described()),
                );
                None
            }
        }
    }

    fn duration(&mut self, node: &Node) -> Option<Duration> {
        match duration::parse(self.text(node)?) {
            Ok(duration) => Some(duration),
            Err(message) => {
                self.error(&node.span, message);
                None
            }
        }
    }

    fn texts(&mut self, node: &Node, what: &str, is_label: bool) -> BTreeMap<String, String> {
        if matches!(node.kind, Kind::Null) {
            return BTreeMap::new();
        }
        let Kind::Map(entries) = &node.kind else {
            self.error(
                &node.span,
                format!("expected {what}, found {}", node.described()),
            );
            return BTreeMap::new();
        };
        let mut texts = BTreeMap::new();
        for entry in entries {
            let name = &entry.key.text;
            if name.is_empty() || (is_label && name == wharf_signal::NAME) {
                self.error(&entry.key.span, format!("invalid label name `{name}`"));
                continue;
            }
            let value = match &entry.value.kind {
                Kind::Null => "",
                _ => self.text(&entry.value).unwrap_or_default(),
            };
            texts.insert(name.clone(), value.to_owned());
        }
        texts
    }

    fn groups(&mut self, root: &Node) -> Vec<RuleGroup> {
        let mut groups = vec![];
        let mut names = BTreeSet::new();
        for entry in self.entries(root, "a rule file", FILE_KEYS) {
            for node in self.list(&entry.value, "a list of groups") {
                let Some(group) = self.group(node) else {
                    continue;
                };
                if !names.insert(group.name.clone()) {
                    let message = format!("the group `{}` occurs twice in this file", group.name);
                    self.error(&node.span, message);
                }
                groups.push(group);
            }
        }
        groups
    }

    fn group(&mut self, node: &Node) -> Option<RuleGroup> {
        let mut group = RuleGroup {
            name: String::new(),
            file: self.file.to_owned(),
            interval: None,
            query_offset: None,
            limit: 0,
            rules: vec![],
        };
        let mut labels = BTreeMap::new();
        for entry in self.entries(node, "a group", GROUP_KEYS) {
            let value = &entry.value;
            match entry.key.text.as_str() {
                "name" => self.text(value)?.clone_into(&mut group.name),
                "interval" => group.interval = self.duration(value).filter(|d| !d.is_zero()),
                "query_offset" => group.query_offset = self.duration(value),
                "limit" => match self.text(value)?.parse() {
                    Ok(limit) => group.limit = limit,
                    Err(_) => self.error(&value.span, "expected a whole number"),
                },
                "labels" => labels = self.texts(value, "a map of labels", true),
                _ => {
                    for rule in self.list(value, "a list of rules") {
                        let number = group.rules.len() + 1;
                        group.rules.extend(self.rule(rule, number));
                    }
                }
            }
        }
        if group.name.is_empty() {
            self.error(&node.span, "the group has no `name`");
        }
        for rule in &mut group.rules {
            let own = match rule {
                Rule::Record(rule) => &mut rule.labels,
                Rule::Alert(rule) => &mut rule.labels,
            };
            for (name, value) in &labels {
                own.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        Some(group)
    }

    fn rule(&mut self, node: &Node, number: usize) -> Option<Rule> {
        let entries = self.entries(node, "a rule", RULE_KEYS);
        let found = |key: &str| entries.iter().find(|entry| entry.key.text == key);
        let (record, alert) = (found("record"), found("alert"));
        match (record, alert) {
            (Some(_), Some(alert)) => {
                self.error(
                    &alert.key.span,
                    "only one of `record` and `alert` may be set",
                );
                return None;
            }
            (None, None) => {
                self.error(
                    &node.span,
                    format!("rule {number} has neither `record` nor `alert`"),
                );
                return None;
            }
            _ => {}
        }
        let expr = match found("expr") {
            Some(entry) => self.query(&entry.value),
            None => {
                self.error(&node.span, format!("rule {number} has no `expr`"));
                None
            }
        };
        let labels = match found("labels") {
            Some(entry) => self.texts(&entry.value, "a map of labels", true),
            None => BTreeMap::new(),
        };
        if let Some(record) = record {
            for key in ["for", "keep_firing_for", "annotations"] {
                if let Some(entry) = found(key) {
                    self.error(
                        &entry.key.span,
                        format!("`{key}` is of alerts, and this is a recording rule"),
                    );
                }
            }
            let name = self.text(&record.value)?;
            if name.is_empty() || name.contains(['{', '}']) {
                let message = "expected the name of a series such as job:errors:rate5m; labels stand under `labels`";
                self.error(&record.value.span, message);
            }
            return Some(Rule::Record(RecordingRule {
                record: name.to_owned(),
                expr: expr?,
                labels,
            }));
        }
        let mut span = |key: &str| match found(key) {
            Some(entry) => self.duration(&entry.value).unwrap_or_default(),
            None => Duration::ZERO,
        };
        let (hold, keep_firing_for) = (span("for"), span("keep_firing_for"));
        let annotations = match found("annotations") {
            Some(entry) => self.texts(&entry.value, "a map of annotations", false),
            None => BTreeMap::new(),
        };
        for key in ["labels", "annotations"] {
            let values = found(key).map(|entry| entry.value.entries());
            for entry in values.unwrap_or_default() {
                if let Kind::Scalar(scalar) = &entry.value.kind
                    && let Err(error) = Template::parse(&scalar.text)
                {
                    self.error(&entry.value.span, format!("`{}`: {error}", entry.key.text));
                }
            }
        }
        let alert = alert?;
        let name = self.text(&alert.value)?;
        if name.is_empty() {
            self.error(&alert.value.span, "an alert needs a name");
        }
        Some(Rule::Alert(AlertRule {
            alert: name.to_owned(),
            expr: expr?,
            hold,
            keep_firing_for,
            labels,
            annotations,
        }))
    }

    fn query(&mut self, node: &Node) -> Option<String> {
        let query = self.text(node)?.trim();
        if query.is_empty() {
            self.error(&node.span, "the query is empty");
            return None;
        }
        if let Err(message) = (self.check)(query) {
            self.error(&node.span, format!("could not parse expression: {message}"));
        }
        Some(query.to_owned())
    }
}
