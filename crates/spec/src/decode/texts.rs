//! Texts of a given form: paths, names of variables and headers, networks, hosts.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Value, json};
use wharf_base::ids::Name;

use super::{FromText, Refusal, TableKey};

/// The path of a URL, with its query: begins with `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlPath(pub String);

impl AsRef<str> for UrlPath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromText for UrlPath {
    fn wording() -> String {
        "a path that begins with `/`".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let shown = crate::diagnostic::excerpt(text);
        // RFC 3986: what a client sends is visible ASCII, without the fragment.
        if !text.bytes().all(|b| b.is_ascii_graphic() && b != b'#') {
            return Err(Refusal::because(format!(
                "the path `{shown}` holds a character that no client sends as it is"
            ))
            .help(Some("percent-encode it, a space as `%20`".to_owned())));
        }
        if !text.starts_with('/') {
            let plain = !text.contains("://");
            return Err(
                Refusal::unexpected().help(plain.then(|| format!("did you mean `/{shown}`?")))
            );
        }
        Ok(Self(text.to_owned()))
    }

    fn text_schema() -> Value {
        json!({ "type": "string", "pattern": "^/[^\\s#]*$" })
    }
}

impl TableKey for UrlPath {
    const WORDING: &'static str = "paths that begin with `/`";
    const PATTERN: &'static str = "^/[^\\s#?]*$";

    fn from_key(text: &str) -> Result<Self, Refusal> {
        if text.contains('?') {
            return Err(
                Refusal::because("a route matches the path alone, without a query")
                    .help(Some("take out the `?` and what follows".to_owned())),
            );
        }
        Self::from_text(text).map_err(|refusal| Refusal {
            message: refusal.message.or_else(|| {
                let shown = crate::diagnostic::excerpt(text);
                Some(format!("`{shown}` is no path: it does not begin with `/`"))
            }),
            ..refusal
        })
    }
}

/// A name of an environment variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvName(pub String);

impl AsRef<str> for EnvName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl TableKey for EnvName {
    const WORDING: &'static str = "names of environment variables";
    const PATTERN: &'static str = "^[A-Za-z_][A-Za-z0-9_]*$";

    fn from_key(text: &str) -> Result<Self, Refusal> {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let digit_first = text.bytes().next().is_none_or(|b| b.is_ascii_digit());
        if !digit_first && text.bytes().all(inner) {
            return Ok(Self(text.to_owned()));
        }
        let meant = text.replace(['-', '.', ' '], "_").to_uppercase();
        let near =
            meant.bytes().all(inner) && !meant.bytes().next().is_none_or(|b| b.is_ascii_digit());
        let shown = crate::diagnostic::excerpt(text);
        let message = format!(
            "`{shown}` is no name of an environment variable: letters, digits and `_`, no digit first"
        );
        Err(Refusal::because(message).help(near.then(|| format!("did you mean `{meant}`?"))))
    }
}

/// A name of an HTTP header (RFC 9110, token).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderName(pub String);

impl AsRef<str> for HeaderName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl TableKey for HeaderName {
    const WORDING: &'static str = "names of headers";
    const PATTERN: &'static str = "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$";

    fn from_key(text: &str) -> Result<Self, Refusal> {
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if !text.is_empty() && text.bytes().all(token) {
            return Ok(Self(text.to_owned()));
        }
        let shown = crate::diagnostic::excerpt(text);
        Err(Refusal::because(format!(
            "`{shown}` is no name of a header"
        )))
    }
}

/// A network: `10.0.0.0/8`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr(pub IpNet);

impl FromText for Cidr {
    fn wording() -> String {
        "a network such as 10.0.0.0/8 or an address such as 192.0.2.1".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let one = || text.parse::<IpAddr>().map(IpNet::from).ok();
        text.parse::<IpNet>()
            .ok()
            .or_else(one)
            .map(Self)
            .ok_or_else(Refusal::unexpected)
    }

    fn text_schema() -> Value {
        json!({ "type": "string", "pattern": "^[0-9a-fA-F:.]+(/[0-9]{1,3})?$" })
    }
}

/// A host: `app.example.com`, or `*.example.com` for every name one level below; in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern(pub String);

impl FromText for HostPattern {
    fn wording() -> String {
        "a host such as app.example.com or *.example.com".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let lower = text.to_ascii_lowercase();
        let name = lower.strip_prefix("*.").unwrap_or(&lower);
        let labels = name.split('.').all(|label| label.parse::<Name>().is_ok());
        // RFC 1035: 253 characters in all.
        if labels && lower.len() <= 253 {
            return Ok(Self(lower));
        }
        let bare = lower
            .trim_start_matches("https://")
            .trim_start_matches("http://")
            .split(['/', ':'])
            .next()
            .unwrap_or_default();
        let meant = bare != lower
            && !bare.is_empty()
            && bare.split('.').all(|label| label.parse::<Name>().is_ok());
        Err(Refusal::unexpected().help(meant.then(|| format!("the name alone: `{bare}`"))))
    }

    fn text_schema() -> Value {
        json!({ "type": "string", "pattern": "^(\\*\\.)?[A-Za-z0-9-]+(\\.[A-Za-z0-9-]+)*$" })
    }
}

/// A folder of a build or of a container: a path without `..`, blanks and what a shell reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder(pub String);

impl FromText for Folder {
    fn wording() -> String {
        "a folder such as ./app or /var/cache/app".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b"._-/@+".contains(&b);
        if text.is_empty() || text.len() > 255 || !text.bytes().all(inner) {
            return Err(Refusal::unexpected());
        }
        if text.split('/').any(|part| part == "..") {
            return Err(Refusal::because("the folder lies outside, behind a `..`"));
        }
        Ok(Self(text.to_owned()))
    }

    fn text_schema() -> Value {
        json!({ "type": "string", "pattern": "^[A-Za-z0-9._/@+-]{1,255}$" })
    }
}
