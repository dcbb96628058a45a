//! The ports of a service, and what refers to them.

use std::collections::BTreeMap;

use wharf_base::ids::Name;
use wharf_spec::diagnostic::{Code, Diagnostic, Findings};
use wharf_spec::model::{PortReference, Service};
use wharf_spec::span::{Field, Span};

/// The name of the port that `port:` declares, and of the primary one where there are several.
const HTTP: &str = "http";

/// The ports of one service.
#[derive(Debug, Clone, Default)]
pub(super) struct Ports {
    /// By name.
    pub(super) by_name: BTreeMap<Name, u16>,
    /// Which one `PORT` and routes mean.
    pub(super) primary: Option<Name>,
    /// Whether some of them could not be read, so that one that is not found may well exist.
    pub(super) incomplete: bool,
}

impl Ports {
    /// The ports of a service that could not be read.
    pub(super) fn unknown() -> Self {
        Self {
            incomplete: true,
            ..Self::default()
        }
    }

    pub(super) fn of(service: &Service, findings: &mut Findings) -> Self {
        let mut ports = Self::default();
        let unread = |key: Option<&Span>, read: bool| key.is_some() && !read;
        ports.incomplete = unread(service.port.key_span(), service.port.get().is_some())
            || unread(service.ports.key_span(), service.ports.get().is_some());
        if let (Some(port), Some(other)) = (service.port.key_span(), service.ports.key_span()) {
            let message = "`port` and `ports` exclude each other";
            findings.report(
                Diagnostic::error(Code::EXCLUSIVE, port.clone(), message)
                    .related(other.clone(), "the other one")
                    .help("put all of them into `ports`, the main one as `http`"),
            );
        }
        if let (Some(port), Ok(http)) = (service.port.value(), HTTP.parse::<Name>()) {
            ports.by_name.insert(http.clone(), port.0);
            ports.primary = Some(http);
        }
        let table = service.ports.value();
        ports.incomplete |= table.is_some_and(|table| !table.refused.is_empty());
        let mut numbers: BTreeMap<u16, (Span, Name)> = BTreeMap::new();
        for entry in table
            .map(|table| table.entries.as_slice())
            .unwrap_or_default()
        {
            let name = &entry.key.value;
            let Some(port) = &entry.value else {
                ports.incomplete = true;
                continue;
            };
            if let Some((first, other)) = numbers.get(&port.value.0) {
                let message = format!("the ports `{other}` and `{name}` are both {}", port.value.0);
                findings.report(
                    Diagnostic::error(Code::PORT_CLASH, port.span.clone(), message)
                        .label("the second one")
                        .related(first.clone(), "the first one"),
                );
            } else {
                numbers.insert(port.value.0, (port.span.clone(), name.clone()));
            }
            ports.by_name.insert(name.clone(), port.value.0);
            if ports.primary.is_none() || name.as_str() == HTTP {
                ports.primary = Some(name.clone());
            }
        }
        ports
    }

    /// The port that `reference` means, the primary one if it is absent. `at` is where something needs it.
    pub(super) fn find(
        &self,
        service: &Name,
        reference: &Field<PortReference>,
        at: &Span,
        findings: &mut Findings,
    ) -> Option<Name> {
        if reference.is_absent() {
            if self.primary.is_none() && !self.incomplete {
                let message = format!("`{service}` has no port");
                findings.report(
                    Diagnostic::error(Code::UNKNOWN_NAME, at.clone(), message)
                        .help(format!("give `{service}` a `port`")),
                );
            }
            return self.primary.clone();
        }
        let typed = reference.get()?;
        let found = match &typed.value {
            PortReference::Name(name) => self.by_name.get_key_value(name).map(|(name, _)| name),
            PortReference::Number(number) => self
                .by_name
                .iter()
                .find(|(_, port)| *port == number)
                .map(|(name, _)| name),
        };
        if found.is_none() && !self.incomplete {
            let shown = match &typed.value {
                PortReference::Name(name) => name.to_string(),
                PortReference::Number(number) => number.to_string(),
            };
            let known: Vec<String> = self
                .by_name
                .iter()
                .map(|(name, port)| format!("`{name}` ({port})"))
                .collect();
            let message = format!("`{service}` has no port `{shown}`");
            let diagnostic = Diagnostic::error(Code::UNKNOWN_NAME, typed.span.clone(), message);
            findings.report(if known.is_empty() {
                diagnostic.help(format!("give `{service}` a `port`"))
            } else {
                diagnostic.help(format!("its ports are {}", known.join(", ")))
            });
        }
        found.cloned()
    }
}
