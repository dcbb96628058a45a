//! The values that are written as one text.

use std::time::Duration;

use serde_json::{Value, json};
use wharf_base::ids::Name;
use wharf_base::units::{Bounds, Bytes, Millicores, Rate, Share};

use super::{FromText, Refusal, TableKey};
use wharf_base::cron::Cron;

/// Far beyond any timeout, and small enough that no sum of times overflows.
const DURATION_MAX: Duration = Duration::from_secs(3_653 * 86_400);

/// The pattern of [`Name`] for a JSON Schema.
const NAME_PATTERN: &str = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$";

/// What a name that is none might have been meant to be: `My_App` -> `my-app`.
fn as_name(text: &str) -> Option<String> {
    let candidate = text.to_lowercase().replace(['_', ' ', '.', '/'], "-");
    let candidate = candidate.trim_matches('-').to_owned();
    candidate.parse::<Name>().is_ok().then_some(candidate)
}

impl FromText for Name {
    fn wording() -> String {
        "a name of 1 to 63 lower-case letters, digits and `-`, with a letter or digit at both ends"
            .to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        text.parse().map_err(|_| {
            let help = as_name(text).map(|name| format!("did you mean `{name}`?"));
            Refusal::unexpected().help(help)
        })
    }

    fn text_schema() -> Value {
        json!({ "type": "string", "pattern": NAME_PATTERN })
    }
}

impl TableKey for Name {
    const WORDING: &'static str = "names of lower-case letters, digits and `-`";
    const PATTERN: &'static str = NAME_PATTERN;

    fn from_key(text: &str) -> Result<Self, Refusal> {
        Self::from_text(text).map_err(|refusal| {
            let shown = crate::diagnostic::excerpt(text);
            let message = format!("`{shown}` is no name: 1 to 63 lower-case letters, digits and `-`, with a letter or digit at both ends");
            Refusal::because(message).help(refusal.help)
        })
    }
}

impl FromText for bool {
    fn wording() -> String {
        "`true` or `false`".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => {
                let meant = match text.to_lowercase().as_str() {
                    "true" | "yes" | "on" | "y" => Some("true"),
                    "false" | "no" | "off" | "n" => Some("false"),
                    _ => None,
                };
                Err(Refusal::unexpected().help(meant.map(|word| format!("did you mean `{word}`?"))))
            }
        }
    }

    fn text_schema() -> Value {
        json!({ "type": "boolean" })
    }
}

impl FromText for Duration {
    fn wording() -> String {
        "a duration such as 500ms, 30s, 1m30s, 2h or 7d".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        if let Ok(duration) = wharf_base::duration::parse(text) {
            return if duration <= DURATION_MAX {
                Ok(duration)
            } else {
                Err(Refusal::because("the duration is longer than ten years"))
            };
        }
        Err({
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            let spaced = text.replace(' ', "");
            let long = spaced
                .trim_end_matches("econds")
                .trim_end_matches("inutes")
                .trim_end_matches("ours")
                .trim_end_matches("ec")
                .trim_end_matches("in");
            let help = if digits {
                Some(format!("did you mean `{text}s`?"))
            } else {
                let meant = long != text && wharf_base::duration::parse(long).is_ok();
                meant.then(|| format!("did you mean `{long}`?"))
            };
            Refusal::unexpected().help(help)
        })
    }

    fn text_schema() -> Value {
        json!({ "type": "string", "pattern": "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$", "minLength": 2 })
    }
}

/// Units that people write and that are none of Kubernetes', with what they most likely mean.
const MEANT_UNITS: [(&str, &str); 14] = [
    ("MiB", "Mi"),
    ("GiB", "Gi"),
    ("KiB", "Ki"),
    ("TiB", "Ti"),
    ("MB", "M"),
    ("GB", "G"),
    ("KB", "k"),
    ("kB", "k"),
    ("TB", "T"),
    ("mb", "Mi"),
    ("gb", "Gi"),
    ("kb", "Ki"),
    ("m", "Mi"),
    ("g", "Gi"),
];

fn meant_bytes(text: &str) -> Option<String> {
    let (digits, unit) = MEANT_UNITS.iter().find_map(|(typed, unit)| {
        text.strip_suffix(typed)
            .map(|digits| (digits.trim(), *unit))
    })?;
    let meant = format!("{digits}{unit}");
    meant.parse::<Bytes>().is_ok().then_some(meant)
}

impl FromText for Bytes {
    fn wording() -> String {
        "an amount of bytes such as 128Mi, 1Gi or 500M".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        text.parse().map_err(|_| {
            Refusal::unexpected()
                .help(meant_bytes(text).map(|meant| format!("did you mean `{meant}`?")))
        })
    }

    fn text_schema() -> Value {
        json!({ "type": ["string", "integer"], "pattern": "^[0-9]+(Ti|Gi|Mi|Ki|T|G|M|k)?$" })
    }
}

impl FromText for Bounds<Bytes> {
    fn wording() -> String {
        "an amount of bytes such as 256Mi, or request..limit such as 128Mi..256Mi".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        text.parse().map_err(|_| {
            let (request, limit) = text.split_once("..").unwrap_or((text, text));
            if let (Ok(request), Ok(limit)) = (request.parse::<Bytes>(), limit.parse::<Bytes>()) {
                return Refusal::because(format!(
                    "the request {request} is above the limit {limit}"
                ))
                .help(Some(format!("did you mean `{limit}..{request}`?")));
            }
            let meant = |part: &str| {
                part.parse::<Bytes>()
                    .map(|_| part.to_owned())
                    .ok()
                    .or_else(|| meant_bytes(part))
            };
            let help = match (meant(request), meant(limit)) {
                (Some(request), Some(limit)) if text.contains("..") => {
                    Some(format!("did you mean `{request}..{limit}`?"))
                }
                (Some(both), _) => Some(format!("did you mean `{both}`?")),
                _ => None,
            };
            Refusal::unexpected().help(help)
        })
    }

    fn text_schema() -> Value {
        json!({ "type": ["string", "integer"], "pattern": "^[0-9]+(Ti|Gi|Mi|Ki|T|G|M|k)?(\\.\\.[0-9]+(Ti|Gi|Mi|Ki|T|G|M|k)?)?$" })
    }
}

impl FromText for Bounds<Millicores> {
    fn wording() -> String {
        "CPU such as 250m, 0.5 or 2, or request..limit such as 100m..200m".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        text.parse().map_err(|_| {
            let (request, limit) = text.split_once("..").unwrap_or((text, text));
            match (request.parse::<Millicores>(), limit.parse::<Millicores>()) {
                (Ok(request), Ok(limit)) => {
                    Refusal::because(format!("the request {request} is above the limit {limit}"))
                        .help(Some(format!("did you mean `{limit}..{request}`?")))
                }
                _ => Refusal::unexpected(),
            }
        })
    }

    fn text_schema() -> Value {
        json!({ "type": ["string", "number"], "pattern": "^([0-9]+m|[0-9]+(\\.[0-9]{1,3})?)(\\.\\.([0-9]+m|[0-9]+(\\.[0-9]{1,3})?))?$" })
    }
}

impl FromText for Share {
    fn wording() -> String {
        "a count such as 1 or a share such as 25%".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        text.parse().map_err(|_| Refusal::unexpected())
    }

    fn text_schema() -> Value {
        json!({ "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "string", "pattern": "^[0-9]+%?$" }] })
    }
}

impl FromText for Rate {
    fn wording() -> String {
        "a rate such as 100/s, 600/m or 1000/h".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        text.parse().map_err(|_| {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            Refusal::unexpected().help(digits.then(|| format!("did you mean `{text}/s`?")))
        })
    }

    fn text_schema() -> Value {
        json!({ "type": "string", "pattern": "^[1-9][0-9]*/[smh]$" })
    }
}

impl FromText for Cron {
    fn wording() -> String {
        "a cron schedule of five fields such as `*/5 * * * *` (minute, hour, day of month, month, day of week; UTC)".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        Cron::parse(text).map_err(|error| Refusal::because(error.to_string()))
    }

    fn text_schema() -> Value {
        json!({ "type": "string", "pattern": "^(\\S+\\s+){4}\\S+$|^@(yearly|annually|monthly|weekly|daily|midnight|hourly)$" })
    }
}

/// A whole number within bounds, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count<const MIN: u32, const MAX: u32>(pub u32);

impl<const MIN: u32, const MAX: u32> FromText for Count<MIN, MAX> {
    fn wording() -> String {
        format!("a whole number from {MIN} to {MAX}")
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        match text.parse::<u32>() {
            Ok(number) if digits && (MIN..=MAX).contains(&number) => Ok(Self(number)),
            _ => Err(Refusal::unexpected()),
        }
    }

    fn text_schema() -> Value {
        json!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    }
}

/// A TCP port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port(pub u16);

impl FromText for Port {
    fn wording() -> String {
        "a port from 1 to 65535".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        if let Some((_, container)) = text.rsplit_once(':') {
            // `8080:80` of a Compose file: the second is the program's.
            let help = container.parse::<u16>().is_ok().then(|| {
                format!("write the port of the program alone, `{container}`; what the outside sees is up to `routes`")
            });
            return Err(Refusal::unexpected().help(help));
        }
        let Count(number) =
            Count::<1, 65_535>::from_text(text).map_err(|_| Refusal::unexpected())?;
        u16::try_from(number)
            .map(Self)
            .map_err(|_| Refusal::unexpected())
    }

    fn text_schema() -> Value {
        json!({ "type": "integer", "minimum": 1, "maximum": 65535 })
    }
}

/// The status codes that pass: `200` or `200..399`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusRange(pub u16, pub u16);

impl FromText for StatusRange {
    fn wording() -> String {
        "a status such as 200, or a range of them such as 200..399".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let (from, to) = text.split_once("..").unwrap_or((text, text));
        let status = |part: &str| {
            Count::<100, 599>::from_text(part)
                .ok()
                .and_then(|Count(number)| u16::try_from(number).ok())
        };
        match (status(from), status(to)) {
            (Some(from), Some(to)) if from <= to => Ok(Self(from, to)),
            _ => Err(Refusal::unexpected()),
        }
    }

    fn text_schema() -> Value {
        json!({ "type": ["string", "integer"], "pattern": "^[1-5][0-9]{2}(\\.\\.[1-5][0-9]{2})?$" })
    }
}

/// A bound that can be taken away with the word `unlimited`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unlimited<T>(pub Option<T>);

impl<T: FromText> FromText for Unlimited<T> {
    fn wording() -> String {
        format!("{}, or `unlimited`", T::wording())
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        if text == "unlimited" {
            return Ok(Self(None));
        }
        T::from_text(text).map(|value| Self(Some(value)))
    }

    fn text_schema() -> Value {
        json!({ "anyOf": [T::text_schema(), { "const": "unlimited" }] })
    }
}
