//! `telemetry.logs.archive_to`.

use wharf_spec::diagnostic::{Code, Diagnostic};
use wharf_spec::model as spec;

use super::Resolver;
use crate::model::LogArchive;

/// Amazon's first, and what other servers call theirs where nobody has said.
const REGION: &str = "us-east-1";

impl Resolver<'_> {
    pub(super) fn log_archive(&mut self, typed: &spec::ArchiveTo) -> Option<LogArchive> {
        let of_bucket = [
            ("bucket", typed.bucket.key_span()),
            ("prefix", typed.prefix.key_span()),
            ("endpoint", typed.endpoint.key_span()),
            ("region", typed.region.key_span()),
            ("access_key", typed.access_key.key_span()),
            ("secret_key", typed.secret_key.key_span()),
        ];
        let mut of_bucket = of_bucket
            .into_iter()
            .filter_map(|(word, span)| Some((word, span?)));
        if let Some(path) = typed.path.get() {
            if let Some((word, span)) = of_bucket.next() {
                let message = format!("`path` and `{word}` exclude each other");
                self.report(
                    Diagnostic::error(Code::EXCLUSIVE, span.clone(), message)
                        .related(path.span.clone(), "the other one"),
                );
                return None;
            }
            let path = path.value.0.trim();
            return (!path.is_empty()).then(|| LogArchive::Folder(path.to_owned()));
        }
        let (word, span) = of_bucket.next()?;
        for (needed, absent) in [
            ("bucket", typed.bucket.is_absent()),
            ("access_key", typed.access_key.is_absent()),
            ("secret_key", typed.secret_key.is_absent()),
        ] {
            if absent {
                let message = format!("`{word}` needs `{needed}` beside it");
                let help = match needed {
                    "bucket" => "add the bucket's name, or say a `path` alone",
                    _ => "add it as `${secret.NAME}`, and the secret to `secrets`",
                };
                self.report(Diagnostic::error(Code::MISSING_KEY, span.clone(), message).help(help));
                return None;
            }
        }
        let bucket = typed.bucket.get()?;
        let names = [
            (
                typed.bucket.get(),
                is_bucket as fn(&str) -> bool,
                "expected the name of a bucket: 3 to 63 small letters, digits, `-` and `.`",
            ),
            (
                typed.prefix.get(),
                is_prefix,
                "expected letters, digits, `-`, `_`, `.` and `/`, at most 512 of them",
            ),
            (
                typed.region.get(),
                is_region,
                "expected a region such as eu-central-1",
            ),
        ];
        for (typed, fits, message) in names {
            if let Some(typed) = typed.filter(|typed| !fits(&typed.value.0)) {
                let span = typed.span.clone();
                self.report(Diagnostic::error(Code::BAD_VALUE, span, message));
            }
        }
        if let Some(endpoint) = typed.endpoint.get() {
            self.no_references(
                endpoint,
                "the address is no secret",
                "write it as it is; the keys are what is taken from secrets",
            );
            self.check_web_address(endpoint);
        }
        let access_key = self.secret_text(typed.access_key.get()?, true);
        let secret_key = self.secret_text(typed.secret_key.get()?, true);
        let region = typed.region.value().map_or(REGION, |region| &region.0);
        let prefix = typed.prefix.value().map(|prefix| prefix.0.clone());
        Some(LogArchive::Bucket {
            name: bucket.value.0.clone(),
            prefix: prefix.unwrap_or_default(),
            endpoint: typed.endpoint.value().cloned(),
            region: region.to_owned(),
            access_key: access_key?,
            secret_key: secret_key?,
        })
    }
}

/// As Amazon has them; other servers allow no more.
fn is_bucket(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (3..=63).contains(&name.len())
        && name
            .bytes()
            .all(|byte| inner(byte) || matches!(byte, b'-' | b'.'))
        && name.bytes().next().is_some_and(inner)
        && name.bytes().last().is_some_and(inner)
        && !name.contains("..")
}

/// What needs no quoting in an address.
fn is_prefix(prefix: &str) -> bool {
    let known =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/');
    let parts = prefix.trim_matches('/').split('/');
    prefix.len() <= 512
        && prefix.bytes().all(known)
        && parts.into_iter().all(|part| !matches!(part, "." | ".."))
}

fn is_region(region: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=64).contains(&region.len()) && region.bytes().all(known)
}
