//! `${…}` in the texts of the file.

use wharf_base::ids::Name;
use wharf_spec::diagnostic::{Code, Diagnostic, excerpt};
use wharf_spec::model as spec;
use wharf_spec::span::{Span, Spanned};

use super::Resolver;
use crate::template::{Field, Reference, Template};

impl Resolver<'_> {
    /// Reads a text with references; each bad one is shown inside of the text.
    pub(super) fn template(&mut self, text: &Spanned<String>) -> Template {
        let (template, errors) = Template::parse_all(&text.value);
        for error in errors {
            if self.findings.is_full() {
                break;
            }
            let span = self.within(text, error.at, error.len);
            let diagnostic = Diagnostic::error(Code::BAD_REFERENCE, span, bounded(error.message));
            self.report(match error.suggestion {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic.help("`$$` stands for a `$` that is meant literally"),
            });
        }
        template
    }

    /// Checks that what `template` refers to is there; `mounted` are the volumes of the service that uses it.
    pub(super) fn check_references(
        &mut self,
        text: &Spanned<String>,
        template: &Template,
        mounted: &[Name],
    ) {
        for reference in template.references() {
            if self.findings.is_full() {
                return;
            }
            let problem = match reference {
                Reference::Field { of, field } => self.check_field(of, *field),
                Reference::Volume(name) if !mounted.contains(name) => Some((
                    Code::UNKNOWN_NAME,
                    format!("this service mounts no volume `{name}`"),
                    near(name, mounted.iter().map(Name::as_str)),
                )),
                Reference::Secret(name) if !self.has_secret(name) => {
                    let declared = self.spec.secrets.value();
                    let names = declared.into_iter().flat_map(|table| table.keys());
                    let help = near(name, names)
                        .unwrap_or_else(|| format!("declare it: `secrets: {{ {name}: {{}} }}`"));
                    let message = format!("there is no secret `{name}`");
                    Some((Code::UNKNOWN_NAME, message, Some(help)))
                }
                Reference::Volume(_)
                | Reference::Secret(_)
                | Reference::Env { .. }
                | Reference::Wharf(_) => None,
            };
            if let Some((code, message, help)) = problem {
                let typed = reference.to_string();
                let at = text.value.find(&typed).unwrap_or_default();
                let span = self.within(text, at, typed.len());
                let diagnostic = Diagnostic::error(code, span, message);
                self.report(match help {
                    Some(help) => diagnostic.help(help),
                    None => diagnostic,
                });
            }
        }
    }

    /// Reports references in a text that is taken as it stands.
    pub(super) fn no_references(&mut self, text: &Spanned<String>, what: &str, help: &str) {
        let (template, _) = Template::parse_all(&text.value);
        let Some(first) = template.references().next() else {
            return;
        };
        let typed = first.to_string();
        let at = text.value.find(&typed).unwrap_or_default();
        let span = self.within(text, at, typed.len().min(text.value.len() - at));
        let message = format!("`{}` is not filled in here: {what}", excerpt(&typed));
        self.report(Diagnostic::error(Code::BAD_REFERENCE, span, message).help(help));
    }

    /// The same for a command line, which is the shell's to fill in.
    pub(super) fn no_references_in(&mut self, command: Option<&Spanned<spec::Command>>) {
        let Some(command) = command else { return };
        let words = match &command.value {
            spec::Command::Shell(line) => std::slice::from_ref(line),
            spec::Command::Exec(words) => words.as_slice(),
        };
        for word in words {
            let text = Spanned::new(word.clone(), command.span.clone());
            self.no_references(
                &text,
                "a command is taken as it stands",
                "put it into `environment`, and let the command use the variable: `$NAME`",
            );
        }
    }

    fn check_field(&self, of: &Name, field: Field) -> Option<(Code, String, Option<String>)> {
        if self.has_store(of.as_str()) {
            return None;
        }
        if !self.has_service(of.as_str()) {
            let names = self.store_names().into_iter().chain(self.service_names());
            let message = format!("there is no store or service `{of}`");
            return Some((Code::UNKNOWN_NAME, message, near(of, names)));
        }
        if !field.of_service() {
            let message = format!(
                "a service has no `{}`; `{of}` has `url`, `host` and `port`",
                field.as_str()
            );
            return Some((Code::BAD_REFERENCE, message, None));
        }
        let ports = self.ports.get(of)?;
        if ports.primary.is_none() && !ports.incomplete {
            let message = format!("`{of}` has no port, so it has no address");
            return Some((
                Code::BAD_REFERENCE,
                message,
                Some(format!("give `{of}` a `port`")),
            ));
        }
        None
    }

    /// The bytes of the file where the part of `text` stands; the whole of it where quotes or folding hide the part.
    pub(super) fn within(&self, text: &Spanned<String>, at: usize, len: usize) -> Span {
        let typed = self.source.get(text.span.clone()).unwrap_or_default();
        let begin = typed
            .find(text.value.as_str())
            .map(|begin| begin + at)
            .or_else(|| {
                let part = text.value.get(at..at + len)?;
                typed.find(part)
            });
        match begin {
            Some(begin) => text.span.start + begin..text.span.start + begin + len,
            None => text.span.clone(),
        }
    }
}

fn near<'a>(word: &Name, words: impl IntoIterator<Item = &'a str>) -> Option<String> {
    wharf_spec::diagnostic::nearest(word.as_str(), words)
        .map(|near| format!("did you mean `{near}`?"))
}

/// Messages of the template quote what was typed, which has no bound of its own.
fn bounded(message: String) -> String {
    /// Longer than any message that quotes a name.
    const MAX_BYTES: usize = 300;
    if message.len() > MAX_BYTES {
        excerpt(&message)
    } else {
        message
    }
}
