//! Words that other tools read: names of resources, regions, machines, addresses. All are narrow, so that nothing in them
//! has a meaning of its own in the files that they are written into.

use ipnet::Ipv4Net;
use serde_json::{Value, json};

use super::{FromText, Refusal, TableKey};
use crate::diagnostic::excerpt;

/// The longest [`Word`]: an ARN, a repository with its registry.
const WORD_MAX_BYTES: usize = 255;
/// The longest [`Line`]: what a person reads at once.
const LINE_MAX_CHARS: usize = 500;

const WORD_PATTERN: &str = "^[A-Za-z0-9._/:@{}+=,~-]{1,255}$";

/// One word of letters, digits and `._-/:@{}+=,~`: the name of a resource, a version, a path in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word(pub String);

impl AsRef<str> for Word {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromText for Word {
    fn wording() -> String {
        "one word of letters, digits and `._-/:@`".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b"._/:@{}+=,~-".contains(&b);
        if !text.is_empty() && text.len() <= WORD_MAX_BYTES && text.bytes().all(inner) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Refusal::unexpected())
        }
    }

    fn text_schema() -> Value {
        // A version that looks like a number is none.
        json!({ "type": ["string", "number"], "pattern": WORD_PATTERN })
    }
}

impl TableKey for Word {
    const WORDING: &'static str = "words of letters, digits and `._-/:@`";
    const PATTERN: &'static str = WORD_PATTERN;

    fn from_key(text: &str) -> Result<Self, Refusal> {
        Self::from_text(text)
    }
}

/// A text of one line, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line(pub String);

impl FromText for Line {
    fn wording() -> String {
        format!("a text of one line, at most {LINE_MAX_CHARS} characters")
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let text = text.trim();
        let long = text.chars().nth(LINE_MAX_CHARS).is_some();
        if text.is_empty() || long || crate::diagnostic::printable(text) != text {
            return Err(Refusal::unexpected());
        }
        Ok(Self(text.to_owned()))
    }

    fn text_schema() -> Value {
        json!({ "type": ["string", "number", "boolean"], "maxLength": LINE_MAX_CHARS })
    }
}

/// A region of the cloud: `us-east-1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region(pub String);

impl Region {
    fn is(text: &str) -> bool {
        // `us-east-1`, `ap-southeast-2`, `us-gov-west-1`: two letters, one or two words, a digit.
        let parts: Vec<&str> = text.split('-').collect();
        let letters = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
        match parts.as_slice() {
            [area, middle @ .., number] => {
                letters(area)
                    && area.len() == 2
                    && (1..=2).contains(&middle.len())
                    && middle.iter().all(|part| letters(part))
                    && matches!(number.as_bytes(), [b'1'..=b'9'])
            }
            _ => false,
        }
    }
}

impl FromText for Region {
    fn wording() -> String {
        "a region such as us-east-1".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        if Self::is(text) {
            return Ok(Self(text.to_owned()));
        }
        let region = text.trim_end_matches(|c: char| c.is_ascii_lowercase());
        let zone = region != text && Self::is(region);
        Err(Refusal::unexpected()
            .help(zone.then(|| format!("`{text}` is a zone; its region is `{region}`"))))
    }

    fn text_schema() -> Value {
        json!({ "type": "string", "pattern": "^[a-z]{2}(-[a-z]+){1,2}-[1-9]$" })
    }
}

/// A zone of a region: `us-east-1a`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(pub String);

impl FromText for Zone {
    fn wording() -> String {
        "an availability zone such as us-east-1a".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let region = text.strip_suffix(|c: char| c.is_ascii_lowercase());
        if region.is_some_and(Region::is) {
            return Ok(Self(text.to_owned()));
        }
        let near = Region::is(text);
        Err(Refusal::unexpected().help(near.then(|| format!("did you mean `{text}a`?"))))
    }

    fn text_schema() -> Value {
        json!({ "type": "string", "pattern": "^[a-z]{2}(-[a-z]+){1,2}-[1-9][a-z]$" })
    }
}

/// A type of machines: `t3.medium`, `db.t3.micro`, `cache.t3.micro`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine(pub String);

impl FromText for Machine {
    fn wording() -> String {
        "a type of machines such as t3.medium".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let kind = text
            .strip_prefix("db.")
            .or_else(|| text.strip_prefix("cache."))
            .unwrap_or(text);
        let word = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        match kind.split_once('.') {
            Some((family, size)) if word(family) && word(size) => Ok(Self(text.to_owned())),
            _ => Err(Refusal::unexpected()),
        }
    }

    fn text_schema() -> Value {
        json!({ "type": "string", "pattern": "^((db|cache)\\.)?[a-z0-9-]+\\.[a-z0-9-]+$" })
    }
}

/// An address for e-mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email(pub String);

impl FromText for Email {
    fn wording() -> String {
        "an e-mail address such as ops@example.com".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b".-_+".contains(&b);
        match text.split_once('@') {
            Some((user, host))
                if !user.is_empty()
                    && user.bytes().all(inner)
                    && host.contains('.')
                    && !host.starts_with('.')
                    && !host.ends_with('.')
                    && host
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-') =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err(Refusal::unexpected()),
        }
    }

    fn text_schema() -> Value {
        json!({ "type": "string", "pattern": "^[A-Za-z0-9._+-]+@[A-Za-z0-9-]+(\\.[A-Za-z0-9-]+)+$" })
    }
}

/// A repository of a forge: `owner/name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository(pub String);

impl FromText for Repository {
    fn wording() -> String {
        "a repository such as owner/name".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let word = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        if let Some((owner, name)) = text.split_once('/')
            && word(owner)
            && word(name)
        {
            return Ok(Self(text.to_owned()));
        }
        let path = text
            .trim_end_matches(".git")
            .split_once("github.com")
            .map(|(_, rest)| rest.trim_start_matches(['/', ':']))
            .filter(|path| path.split('/').count() == 2 && path.split('/').all(word));
        Err(Refusal::unexpected().help(path.map(|path| format!("did you mean `{path}`?"))))
    }

    fn text_schema() -> Value {
        json!({ "type": "string", "pattern": "^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$" })
    }
}

/// Where a Git repository is fetched from, without a password in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitUrl(pub String);

impl FromText for GitUrl {
    fn wording() -> String {
        "the URL of a Git repository such as https://github.com/owner/name.git".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let rest = ["https://", "ssh://", "git@"]
            .iter()
            .find_map(|start| text.strip_prefix(start));
        let inner = |b: u8| b.is_ascii_alphanumeric() || b"._-/:@~+".contains(&b);
        match rest {
            Some(rest) if !rest.is_empty() && text.bytes().all(inner) => {
                let password = text.starts_with("https://") && rest.contains('@');
                if password {
                    return Err(
                        Refusal::because("the URL holds a user or a password").help(Some(
                            "leave it out; whoever fetches has its own credentials".to_owned(),
                        )),
                    );
                }
                Ok(Self(text.to_owned()))
            }
            _ => Err(Refusal::unexpected()),
        }
    }

    fn text_schema() -> Value {
        json!({ "type": "string", "pattern": "^(https://|ssh://|git@)[A-Za-z0-9._/:@~+-]+$" })
    }
}

/// An IPv4 network: `10.0.0.0/16`, without bits behind its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subnet(pub Ipv4Net);

impl FromText for Subnet {
    fn wording() -> String {
        "an IPv4 network such as 10.0.0.0/16".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let net = text.parse::<Ipv4Net>().map_err(|_| Refusal::unexpected())?;
        if net.trunc() != net {
            return Err(Refusal::because(format!(
                "`{}` is an address within a network",
                excerpt(text)
            ))
            .help(Some(format!("did you mean `{}`?", net.trunc()))));
        }
        Ok(Self(net))
    }

    fn text_schema() -> Value {
        json!({ "type": "string", "pattern": "^[0-9]{1,3}(\\.[0-9]{1,3}){3}/[0-9]{1,2}$" })
    }
}

/// A version of Kubernetes that manifests are made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubernetesVersion(pub String);

impl KubernetesVersion {
    /// The oldest and the newest minor version of 1 that manifests are checked against.
    pub const MINORS: (u32, u32) = (28, 32);
}

impl FromText for KubernetesVersion {
    fn wording() -> String {
        let (oldest, newest) = Self::MINORS;
        format!("a version of Kubernetes from 1.{oldest} to 1.{newest}")
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let version = text.strip_prefix('v').unwrap_or(text);
        let minor = |version: &str| {
            let (major, rest) = version.split_once('.')?;
            let minor = rest.split('.').next()?;
            let digits = minor.bytes().all(|b| b.is_ascii_digit());
            (major == "1" && digits)
                .then(|| minor.parse::<u32>().ok())
                .flatten()
        };
        let (oldest, newest) = Self::MINORS;
        match minor(version) {
            Some(minor) if (oldest..=newest).contains(&minor) => {
                if version == format!("1.{minor}") && version == text {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(Refusal::unexpected().help(Some(format!("did you mean `\"1.{minor}\"`?"))))
                }
            }
            _ => Err(Refusal::unexpected()),
        }
    }

    fn text_schema() -> Value {
        json!({ "type": ["string", "number"], "pattern": "^1\\.(2[89]|3[0-2])$" })
    }
}
