//! Words with a form of their own in the cloud: buckets, machine images, times of maintenance, users of databases.

use serde_json::{Value, json};

use super::{FromText, Refusal};

/// The name of a bucket; `{environment}`, `{account}` and `{project}` are filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketName(pub String);

impl BucketName {
    /// What is filled in.
    pub const VARIABLES: [&str; 3] = ["environment", "account", "project"];
}

impl FromText for BucketName {
    fn wording() -> String {
        "the name of a bucket such as shop-static or {environment}-static-{account}".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        // S3: 3 to 63 lower-case letters, digits, `.` and `-`. An account has twelve digits.
        let mut plain = text.to_owned();
        for variable in Self::VARIABLES {
            plain = plain.replace(&format!("{{{variable}}}"), "0");
        }
        if let Some((_, rest)) = plain.split_once('{') {
            let word = rest.split('}').next().unwrap_or_default();
            let near = crate::diagnostic::nearest(word, Self::VARIABLES);
            return Err(Refusal::because(format!(
                "`{{{}}}` is not filled in here; `{{environment}}`, `{{account}}` and `{{project}}` are",
                crate::diagnostic::excerpt(word)
            ))
            .help(near.map(|near| format!("did you mean `{{{near}}}`?"))));
        }
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
        let ends = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let good = (1..=63).contains(&plain.len())
            && (plain.len() >= 3 || plain.contains('0'))
            && plain.bytes().all(inner)
            && plain.starts_with(ends)
            && plain.ends_with(ends)
            && !plain.contains("..");
        if good {
            Ok(Self(text.to_owned()))
        } else {
            Err(Refusal::unexpected())
        }
    }

    fn text_schema() -> Value {
        json!({ "type": "string", "pattern": "^[a-z0-9{][a-z0-9.{}-]*[a-z0-9}]$" })
    }
}

/// A machine image: `ami-0c02fb55956c7d316`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineImage(pub String);

impl FromText for MachineImage {
    fn wording() -> String {
        "a machine image such as ami-0c02fb55956c7d316".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let hexadecimal = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        match text.strip_prefix("ami-") {
            Some(id) if [8, 17].contains(&id.len()) && id.chars().all(hexadecimal) => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(Refusal::unexpected()),
        }
    }

    fn text_schema() -> Value {
        json!({ "type": "string", "pattern": "^ami-([0-9a-f]{8}|[0-9a-f]{17})$" })
    }
}

/// `03:00` as minutes of the day.
fn minutes(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str, below: u32| {
        let digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        let number = digits.then(|| text.parse::<u32>().ok()).flatten()?;
        (number < below).then_some(number)
    };
    Some(number(hours, 24)? * 60 + number(minutes, 60)?)
}

/// A day's time for backups, UTC, at least half an hour: `03:00-04:00`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupWindow(pub String);

impl FromText for BackupWindow {
    fn wording() -> String {
        "a time of day of at least 30 minutes, such as 03:00-04:00 (UTC)".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let times = text.split_once('-');
        let times = times.and_then(|(from, to)| Some((minutes(from)?, minutes(to)?)));
        match times {
            Some((from, to)) if (to + 1440 - from) % 1440 >= 30 => Ok(Self(text.to_owned())),
            _ => Err(Refusal::unexpected()),
        }
    }

    fn text_schema() -> Value {
        json!({ "type": "string", "pattern": "^[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$" })
    }
}

/// A week's time for maintenance, UTC: `sun:04:00-sun:05:00`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaintenanceWindow(pub String);

impl FromText for MaintenanceWindow {
    fn wording() -> String {
        "a time of the week of at least 30 minutes, such as sun:04:00-sun:05:00 (UTC)".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        const WEEK: u32 = 7 * 1440;
        let time = |text: &str| {
            let (day, time) = text.split_once(':')?;
            let day = DAYS.iter().zip(0..).find(|(known, _)| **known == day)?.1;
            Some(day * 1440 + minutes(time)?)
        };
        let times = text.split_once('-');
        let times = times.and_then(|(from, to)| Some((time(from)?, time(to)?)));
        match times {
            Some((from, to)) if ((to + WEEK - from) % WEEK) >= 30 => Ok(Self(text.to_owned())),
            _ => Err(Refusal::unexpected()),
        }
    }

    fn text_schema() -> Value {
        let time = "(mon|tue|wed|thu|fri|sat|sun):[0-2][0-9]:[0-5][0-9]";
        json!({ "type": "string", "pattern": format!("^{time}-{time}$") })
    }
}

/// A user or a database of PostgreSQL: letters, digits and `_`, a letter first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identifier(pub String);

impl FromText for Identifier {
    fn wording() -> String {
        "a name of letters, digits and `_` with a letter first, such as shop".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let good = |text: &str| {
            // PostgreSQL: 63 bytes.
            text.len() <= 63
                && text.starts_with(|c: char| c.is_ascii_alphabetic())
                && text.bytes().all(inner)
        };
        if good(text) {
            return Ok(Self(text.to_owned()));
        }
        let meant = text.replace(['-', '.', ' '], "_");
        Err(Refusal::unexpected().help(good(&meant).then(|| format!("did you mean `{meant}`?"))))
    }

    fn text_schema() -> Value {
        json!({ "type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]{0,62}$" })
    }
}
