//! What a service reaches: other services, folders, files that are served beside it.

use std::collections::BTreeMap;

use wharf_base::ids::Name;
use wharf_spec::diagnostic::{Code, Diagnostic};
use wharf_spec::model as spec;

use super::Resolver;
use super::services::suggested;

/// The one folder that almost every program writes to.
const TEMPORARY: &str = "/tmp";

impl Resolver<'_> {
    /// Services and stores that are talked to without being waited for.
    pub(super) fn calls(&mut self, name: &Name, typed: &spec::Service) -> Vec<Name> {
        let list = typed
            .calls
            .value()
            .map(|list| list.0.as_slice())
            .unwrap_or_default();
        let mut calls: Vec<Name> = vec![];
        for called in list {
            let (of, span) = (&called.value, &called.span);
            if of == name {
                let message = format!("`{name}` calls itself");
                self.report(Diagnostic::error(Code::CIRCLE, span.clone(), message));
            } else if self.has_store(of.as_str()) {
            } else if self.has_service(of.as_str()) {
                self.check_listens(of, span);
            } else if !self.findings.is_full() {
                let names: Vec<_> = self
                    .service_names()
                    .into_iter()
                    .chain(self.store_names())
                    .collect();
                let others = names.into_iter().filter(|other| *other != name.as_str());
                let message = format!("there is no service or store `{of}`");
                let diagnostic = Diagnostic::error(Code::UNKNOWN_NAME, span.clone(), message);
                self.report(suggested(diagnostic, of.as_str(), others));
            }
            if !calls.contains(of) {
                calls.push(of.clone());
            }
        }
        calls
    }

    pub(super) fn writable(&mut self, typed: &spec::Service) -> Vec<String> {
        let Some(list) = typed.writable.value() else {
            return vec![TEMPORARY.to_owned()];
        };
        let mut folders: Vec<String> = vec![];
        for folder in &list.0 {
            let path = folder.value.0.trim_end_matches('/');
            if !folder.value.0.starts_with('/') || path.is_empty() {
                let message = "expected an absolute folder such as /var/cache/app";
                self.report(Diagnostic::error(
                    Code::BAD_VALUE,
                    folder.span.clone(),
                    message,
                ));
            }
            if !folders.iter().any(|other| other == path) {
                folders.push(path.to_owned());
            }
        }
        folders
    }

    pub(super) fn static_files(&mut self, typed: &spec::Service) -> BTreeMap<String, String> {
        let entries = typed
            .static_files
            .value()
            .map(|table| table.entries.as_slice())
            .unwrap_or_default();
        let mut files = BTreeMap::new();
        for entry in entries {
            let Some(folder) = &entry.value else { continue };
            if folder.value.0.starts_with('/') {
                let message = "expected a folder relative to the build's";
                self.report(Diagnostic::error(
                    Code::BAD_VALUE,
                    folder.span.clone(),
                    message,
                ));
            }
            files.insert(entry.key.value.0.clone(), folder.value.0.clone());
        }
        files
    }
}
