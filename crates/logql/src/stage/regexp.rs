//! `| regexp "(?P<a>...)"`.

use regex::Regex;
use wharf_signal::compile_regexp;

use crate::fields::{EXTRACTED, Fields, Wanted};

/// An expression whose named groups become labels.
#[derive(Debug, Clone)]
pub(crate) struct RegexpParser {
    regex: Regex,
    groups: Vec<(usize, String)>,
}

impl RegexpParser {
    /// Reads one.
    ///
    /// # Errors
    /// It is none, or has no named group.
    pub(crate) fn new(pattern: &str) -> Result<Self, String> {
        let regex = compile_regexp(pattern).map_err(|error| error.to_string())?;
        let groups: Vec<_> = regex
            .capture_names()
            .enumerate()
            .filter_map(|(index, name)| Some((index, name?.to_owned())))
            .collect();
        if groups.is_empty() {
            return Err("at least one named capture must be supplied".to_owned());
        }
        let invalid = |c: char| !(c == '_' || c.is_ascii_alphanumeric());
        if let Some((_, name)) = groups.iter().find(|(_, name)| name.contains(invalid)) {
            return Err(format!("invalid extracted label name '{name}'"));
        }
        Ok(Self { regex, groups })
    }

    pub(crate) fn extract(&self, line: &str, fields: &mut Fields, wanted: &mut Wanted) {
        let Some(captures) = self.regex.captures(line) else {
            return;
        };
        for (index, name) in &self.groups {
            let value = captures.get(*index).map_or("", |group| group.as_str());
            set(name, value, fields, wanted);
        }
    }
}

/// Sets what a parser of fixed names found.
pub(crate) fn set(name: &str, value: &str, fields: &mut Fields, wanted: &mut Wanted) {
    if fields.base_has(name) {
        let name = format!("{name}{EXTRACTED}");
        if wanted.wants(&name) {
            fields.set_parsed(&name, value);
            wanted.mark(&name);
        }
    } else if wanted.wants(name) {
        fields.set_parsed(name, value);
        wanted.mark(name);
    }
}
