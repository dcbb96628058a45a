//! `cloud.buckets`, and the services that name them.

use std::collections::BTreeMap;
use std::time::Duration;

use wharf_base::ids::Name;
use wharf_spec::diagnostic::{Code, Diagnostic};
use wharf_spec::model as spec;
use wharf_spec::span::{Field, Span};

use super::Resolver;
use super::names::{LABEL_MAX, joined};
use crate::model::{Bucket, Plan};

/// What objects are counted in.
const DAY: Duration = Duration::from_secs(86_400);

/// The longest part of a bucket's name before the account's twelve digits (S3: 63 characters).
const BUCKET_MAX: usize = LABEL_MAX - 13;

impl Resolver<'_> {
    pub(super) fn buckets(&mut self, cloud: &spec::Cloud, prefix: &str) -> BTreeMap<Name, Bucket> {
        let entries = cloud
            .buckets
            .value()
            .map(|table| table.entries.as_slice())
            .unwrap_or_default();
        let mut names: BTreeMap<String, &Span> = BTreeMap::new();
        let mut buckets = BTreeMap::new();
        for entry in entries {
            let Some(typed) = entry.value.as_ref().map(|typed| &typed.value) else {
                continue;
            };
            let archive_after_days = self.days(&typed.archive_after);
            let expire_after_days = self.days(&typed.expire_after);
            if let (Some(archive), Some(expire), Some(span)) = (
                archive_after_days,
                expire_after_days,
                typed.expire_after.get(),
            ) && expire <= archive
            {
                let message = "objects are deleted before they go to cheaper storage";
                self.report(Diagnostic::error(
                    Code::BAD_VALUE,
                    span.span.clone(),
                    message,
                ));
            }
            let default = || {
                let stem = joined(&[prefix, entry.key.value.as_str()], BUCKET_MAX);
                format!("{stem}-{{account}}")
            };
            let name = typed
                .name
                .value()
                .map_or_else(default, |name| name.0.clone());
            if let Some(first) = names.insert(name.clone(), &entry.key.span) {
                let message = format!("two buckets are called `{name}`");
                self.report(
                    Diagnostic::error(Code::DUPLICATE_NAME, entry.key.span.clone(), message)
                        .related(first.clone(), "the first one"),
                );
            }
            let bucket = Bucket {
                name,
                versioned: typed.versioned.value().copied().unwrap_or(true),
                archive_after_days,
                expire_after_days,
            };
            buckets.insert(entry.key.value.clone(), bucket);
        }
        buckets
    }

    /// A time that is counted in days.
    fn days(&mut self, typed: &Field<Duration>) -> Option<u32> {
        let typed = typed.get()?;
        let whole =
            typed.value.as_secs().is_multiple_of(DAY.as_secs()) && typed.value.subsec_nanos() == 0;
        if typed.value < DAY || !whole {
            let message = "expected whole days, such as 30d";
            self.report(Diagnostic::error(
                Code::BAD_VALUE,
                typed.span.clone(),
                message,
            ));
        }
        u32::try_from(typed.value.as_secs() / DAY.as_secs()).ok()
    }

    /// Buckets that services name and the cloud does not have.
    pub(super) fn check_buckets(&mut self, plan: &Plan) {
        let Some(cloud) = &plan.cloud else { return };
        let spec = self.spec;
        if self.environment.is_none() && !spec.environments.is_absent() {
            // The file's own cloud is what its environments have in common; they may add the bucket.
            return;
        }
        let entries = spec
            .services
            .value()
            .map(|table| table.entries.as_slice())
            .unwrap_or_default();
        let typed = spec.cloud.value().and_then(|cloud| cloud.buckets.value());
        for entry in entries {
            let buckets = entry
                .value
                .as_ref()
                .and_then(|typed| typed.value.buckets.value());
            for bucket in buckets.map(|list| list.0.as_slice()).unwrap_or_default() {
                let mentioned = typed.is_some_and(|table| table.mentions(bucket.value.as_str()));
                if mentioned || self.findings.is_full() {
                    continue;
                }
                let message = format!("the cloud has no bucket `{}`", bucket.value);
                let diagnostic =
                    Diagnostic::error(Code::UNKNOWN_NAME, bucket.span.clone(), message);
                let names = cloud.buckets.keys().map(Name::as_str);
                self.report(super::services::suggested(
                    diagnostic,
                    bucket.value.as_str(),
                    names,
                ));
            }
        }
    }
}
