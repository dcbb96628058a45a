//! Headers that the file sets, in routes and in probes.

use std::collections::{BTreeMap, BTreeSet};

use wharf_spec::decode::{HeaderName, Table};
use wharf_spec::diagnostic::{Code, Diagnostic};
use wharf_spec::span::{Field, Spanned};

use super::Resolver;

/// Headers that say where a message ends or what becomes of its connection (RFC 9110, section 7.6.1): who forwards
/// the message sets them.
const FRAMING: [&str; 8] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

impl Resolver<'_> {
    /// A table of headers, each one checked.
    pub(super) fn headers(
        &mut self,
        field: &Field<Table<HeaderName, String>>,
    ) -> BTreeMap<String, String> {
        let entries = field
            .value()
            .map(|table| table.entries.as_slice())
            .unwrap_or_default();
        let mut seen = BTreeSet::new();
        let mut headers = BTreeMap::new();
        for entry in entries {
            let name = &entry.key.value.0;
            let lower = name.to_ascii_lowercase();
            if FRAMING.contains(&lower.as_str()) {
                let message = format!("`{name}` belongs to the connection; it cannot be set");
                self.report(Diagnostic::error(
                    Code::NOT_HERE,
                    entry.key.span.clone(),
                    message,
                ));
            }
            if !seen.insert(lower) {
                let message =
                    format!("the header `{name}` is set twice; its case makes no difference");
                self.report(Diagnostic::error(
                    Code::DUPLICATE_NAME,
                    entry.key.span.clone(),
                    message,
                ));
            }
            if let Some(value) = &entry.value {
                self.check_header_value(value);
                headers.insert(name.clone(), value.value.clone());
            }
        }
        headers
    }

    /// Whether a text can stand in a header.
    pub(super) fn check_header_value(&mut self, value: &Spanned<String>) {
        let visible = |b: u8| b == b'\t' || b == b' ' || b.is_ascii_graphic();
        if !value.value.bytes().all(visible) {
            let message = "a header holds visible ASCII characters, spaces and tabs alone";
            self.report(Diagnostic::error(
                Code::BAD_VALUE,
                value.span.clone(),
                message,
            ));
        }
        self.no_references(
            value,
            "a header is taken as it stands",
            "let the service set the header",
        );
    }
}
