//! `telemetry.targets`: what tells metrics beside the services.

use std::time::Duration;

use serde_json::{Value, json};
use wharf_base::ids::Name;

use crate::decode::{Count, FromText, Line, OneOrMany, Refusal, Table, TableKey, record};

record! {
    /// Something that tells metrics and is no service of the file.
    pub struct ScrapeTarget {
        /// The label `job` of its series; unique.
        [required]
        [also "name" "job_name"]
        [example "billing"]
        job: Name,
        /// Where it tells them, one address or several.
        [required]
        [also "urls" "targets" "address" "static_configs"]
        [example "http://10.0.0.7:9100/metrics"]
        url: OneOrMany<MetricsUrl>,
        /// Labels that all its series get.
        [example "{ team: payments }"]
        labels: Table<LabelName, Line>,
        /// From scrape to scrape.
        [default "`telemetry.scrape_interval`"]
        [also "scrape_interval"]
        interval: Duration,
        /// For a whole answer.
        [default "10s, at most the interval"]
        [also "scrape_timeout"]
        timeout: Duration,
        /// Whether labels that it tells win over those that it is given; else they become `exported_…`.
        [default "false"]
        honor_labels: bool,
        /// Whether times that it tells count.
        [default "true"]
        honor_timestamps: bool,
        /// How many samples a scrape may have; one with more is not taken.
        [default "no limit"]
        [also "samples" "limit"]
        sample_limit: Count<1, 10_000_000>,
    }
}

/// Where metrics are told: `http://host:port/path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricsUrl(pub String);

impl FromText for MetricsUrl {
    fn wording() -> String {
        "a URL such as http://10.0.0.7:9100/metrics".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let plain = text
            .bytes()
            .all(|b| b.is_ascii_graphic() && b != b'#' && b != b'"');
        let rest = ["http://", "https://"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme));
        let Some(rest) = rest.filter(|_| plain) else {
            let bare = plain && !text.contains("://") && text.contains(['.', ':']);
            return Err(
                Refusal::unexpected().help(bare.then(|| format!("did you mean `http://{text}`?")))
            );
        };
        let (authority, _) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(Refusal::because(
                "a user and a password do not belong into a URL of metrics",
            )
            .help(Some(
                "have it told on an address that needs no login, or behind a proxy that logs in"
                    .to_owned(),
            )));
        }
        let (host, port) = match authority.rsplit_once(':') {
            // The colons of an IPv6 address stand in brackets.
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        let letters = |c: char| c.is_ascii_alphanumeric() || "-._[]:".contains(c);
        if host.is_empty() || !host.chars().all(letters) || !port {
            return Err(Refusal::unexpected());
        }
        Ok(Self(text.to_owned()))
    }

    fn text_schema() -> Value {
        json!({ "type": "string", "pattern": "^https?://[^\\s/?#@\"]+([/?][^\\s#\"]*)?$" })
    }
}

/// The name of a label of Prometheus; none that it uses itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelName(pub String);

impl AsRef<str> for LabelName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl TableKey for LabelName {
    const WORDING: &'static str = "names of labels";
    const PATTERN: &'static str = "^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$";

    fn from_key(text: &str) -> Result<Self, Refusal> {
        let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let inner = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let shown = crate::diagnostic::excerpt(text);
        if !begins || !inner {
            return Err(Refusal::because(format!(
                "`{shown}` is no label: letters, digits and `_`, with no digit at the beginning"
            )));
        }
        if text.starts_with("__") {
            return Err(Refusal::because(format!(
                "the label `{shown}` is Prometheus's own: those that begin with `__` do not reach the samples"
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_metrics() {
        #[track_caller]
        fn check(text: &str, fine: bool) {
            assert_eq!(MetricsUrl::from_text(text).is_ok(), fine, "{text}");
        }
        for text in [
            "http://a",
            "http://10.0.0.7:9100/metrics",
            "https://a.b:443/x?y=1",
            "http://[::1]:9/",
            "http://[::1]",
            "http://a?x",
        ] {
            check(text, true);
        }
        for text in [
            "",
            "a:1",
            "ftp://a",
            "http://",
            "http:///x",
            "http://a:0/",
            "http://a:99999",
            "http://a b",
            "http://u:p@a/",
            "http://a/#x",
            "http://a:/",
            "http://é/",
        ] {
            check(text, false);
        }
    }
}
