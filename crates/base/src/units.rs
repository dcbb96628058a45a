//! Quantities in the notation of Kubernetes: CPU in millicores, memory and storage in bytes.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Why a text is not the quantity that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found `{found}`")]
pub struct ParseUnitError {
    /// What would have been right, with examples.
    pub expected: &'static str,
    /// What was there.
    pub found: String,
}

fn fail(expected: &'static str, found: &str) -> ParseUnitError {
    ParseUnitError {
        expected,
        found: found.to_owned(),
    }
}

macro_rules! serde_as_text {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?
                    .parse()
                    .map_err(D::Error::custom)
            }
        }
    };
}

/// CPU in thousandths of a core: `250m` or `1`, `0.5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millicores(pub u32);
serde_as_text!(Millicores);

impl FromStr for Millicores {
    type Err = ParseUnitError;

    fn from_str(text: &str) -> Result<Self, ParseUnitError> {
        let error = || fail("CPU such as 250m, 0.5 or 2", text);
        if let Some(millis) = text.strip_suffix('m') {
            return whole(millis)
                .and_then(|n| u32::try_from(n).ok())
                .map(Self)
                .ok_or_else(error);
        }
        let (cores, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let cores = whole(cores).ok_or_else(error)?;
        let thousandths = thousandths(fraction).ok_or_else(error)?;
        let millis = cores
            .checked_mul(1000)
            .and_then(|n| n.checked_add(thousandths))
            .ok_or_else(error)?;
        u32::try_from(millis).map(Self).map_err(|_| error())
    }
}

impl fmt::Display for Millicores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1000) {
            write!(f, "{}", self.0 / 1000)
        } else {
            write!(f, "{}m", self.0)
        }
    }
}

/// Memory or storage in bytes: `128Mi`, `1Gi`, `500M`, `4096`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);
serde_as_text!(Bytes);

/// Suffixes of Kubernetes quantities that make sense for bytes, binary ones first because they are longer.
const BYTE_UNITS: [(&str, u64); 8] = [
    ("Ti", 1 << 40),
    ("Gi", 1 << 30),
    ("Mi", 1 << 20),
    ("Ki", 1 << 10),
    ("T", 1_000_000_000_000),
    ("G", 1_000_000_000),
    ("M", 1_000_000),
    ("k", 1_000),
];

impl FromStr for Bytes {
    type Err = ParseUnitError;

    fn from_str(text: &str) -> Result<Self, ParseUnitError> {
        let error = || fail("an amount of bytes such as 128Mi, 1Gi or 500M", text);
        let (digits, size) = BYTE_UNITS
            .iter()
            .find_map(|(unit, size)| text.strip_suffix(unit).map(|digits| (digits, *size)))
            .unwrap_or((text, 1));
        whole(digits)
            .and_then(|n| n.checked_mul(size))
            .map(Self)
            .ok_or_else(error)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = BYTE_UNITS[..4]
            .iter()
            .find(|(_, size)| self.0 > 0 && self.0.is_multiple_of(*size));
        match unit {
            Some((unit, size)) => write!(f, "{}{unit}", self.0 / size),
            None => write!(f, "{}", self.0),
        }
    }
}

/// A count of things, or a share of the whole: `1` or `25%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Share {
    /// So many.
    Count(u32),
    /// So many of a hundred, 0 to 100.
    Percent(u32),
}
serde_as_text!(Share);

impl Share {
    /// The count that this is of `whole`, rounded up.
    #[must_use]
    pub fn of_rounded_up(self, whole: u32) -> u32 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => (whole.saturating_mul(percent)).div_ceil(100),
        }
    }

    /// The count that this is of `whole`, rounded down.
    #[must_use]
    pub fn of_rounded_down(self, whole: u32) -> u32 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => whole.saturating_mul(percent) / 100,
        }
    }
}

impl FromStr for Share {
    type Err = ParseUnitError;

    fn from_str(text: &str) -> Result<Self, ParseUnitError> {
        let error = || fail("a count such as 1 or a share such as 25%", text);
        let number = |digits| whole(digits).and_then(|n| u32::try_from(n).ok());
        match text.strip_suffix('%') {
            Some(digits) => number(digits)
                .filter(|n| *n <= 100)
                .map(Self::Percent)
                .ok_or_else(error),
            None => number(text).map(Self::Count).ok_or_else(error),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

/// How often something may happen: `100/s`, `600/m`, `1000/h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// How many in one `per`.
    pub count: NonZeroU32,
    /// The span that `count` belongs to.
    pub per: RatePeriod,
}
serde_as_text!(Rate);

/// The span of a [`Rate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RatePeriod {
    /// `s`
    Second,
    /// `m`
    Minute,
    /// `h`
    Hour,
}

impl Rate {
    /// The rate as events a second.
    #[must_use]
    pub fn per_second(self) -> f64 {
        let seconds = match self.per {
            RatePeriod::Second => 1.0,
            RatePeriod::Minute => 60.0,
            RatePeriod::Hour => 3600.0,
        };
        f64::from(self.count.get()) / seconds
    }
}

impl FromStr for Rate {
    type Err = ParseUnitError;

    fn from_str(text: &str) -> Result<Self, ParseUnitError> {
        let error = || fail("a rate such as 100/s, 600/m or 1000/h", text);
        let (count, per) = text.split_once('/').ok_or_else(error)?;
        let count = whole(count)
            .and_then(|n| u32::try_from(n).ok())
            .and_then(NonZeroU32::new)
            .ok_or_else(error)?;
        let per = match per {
            "s" => RatePeriod::Second,
            "m" => RatePeriod::Minute,
            "h" => RatePeriod::Hour,
            _ => return Err(error()),
        };
        Ok(Self { count, per })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = match self.per {
            RatePeriod::Second => 's',
            RatePeriod::Minute => 'm',
            RatePeriod::Hour => 'h',
        };
        write!(f, "{}/{per}", self.count)
    }
}

/// A part of a hundred with up to three decimals: `70%`, `99.95%`; at most 100%.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Percent {
    /// In thousandths of a percent: 99.9% is 99,900.
    pub thousandths: u32,
}
serde_as_text!(Percent);

impl Percent {
    /// So many whole percent; above 100 it is 100.
    #[must_use]
    pub const fn whole(percent: u32) -> Self {
        let percent = if percent > 100 { 100 } else { percent };
        Self {
            thousandths: percent * 1000,
        }
    }

    /// As a fraction of one: 70% is 0.7.
    #[must_use]
    pub fn fraction(self) -> f64 {
        f64::from(self.thousandths) / 100_000.0
    }

    /// The whole percent, rounded down.
    #[must_use]
    pub fn floor(self) -> u32 {
        self.thousandths / 1000
    }
}

impl FromStr for Percent {
    type Err = ParseUnitError;

    fn from_str(text: &str) -> Result<Self, ParseUnitError> {
        let error = || fail("a percentage such as 70% or 99.9%", text);
        let number = text.strip_suffix('%').ok_or_else(error)?;
        let (percent, decimals) = number.split_once('.').unwrap_or((number, "0"));
        let percent = whole(percent).filter(|n| *n <= 100).ok_or_else(error)?;
        let all = percent * 1000 + thousandths(decimals).ok_or_else(error)?;
        u32::try_from(all)
            .ok()
            .filter(|thousandths| *thousandths <= 100_000)
            .map(|thousandths| Self { thousandths })
            .ok_or_else(error)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (percent, rest) = (self.thousandths / 1000, self.thousandths % 1000);
        if rest == 0 {
            return write!(f, "{percent}%");
        }
        let decimals = format!("{rest:03}");
        write!(f, "{percent}.{}%", decimals.trim_end_matches('0'))
    }
}

/// A request and a limit of the same unit, written `request..limit`; one value alone is both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bounds<T> {
    /// What is set aside.
    pub request: T,
    /// What is not to be passed.
    pub limit: T,
}

impl<T: FromStr<Err = ParseUnitError> + PartialOrd + Copy> FromStr for Bounds<T> {
    type Err = ParseUnitError;

    fn from_str(text: &str) -> Result<Self, ParseUnitError> {
        let (request, limit) = match text.split_once("..") {
            Some((request, limit)) => (request.parse()?, limit.parse()?),
            None => {
                let both = text.parse()?;
                (both, both)
            }
        };
        if request > limit {
            return Err(fail(
                "a request not above its limit, such as 100m..200m",
                text,
            ));
        }
        Ok(Self { request, limit })
    }
}

impl<T: fmt::Display + PartialEq> fmt::Display for Bounds<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.request == self.limit {
            write!(f, "{}", self.request)
        } else {
            write!(f, "{}..{}", self.request, self.limit)
        }
    }
}

impl<T: fmt::Display + PartialEq> Serialize for Bounds<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, T: FromStr<Err = ParseUnitError> + PartialOrd + Copy> Deserialize<'de> for Bounds<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

/// Digits only: `str::parse` alone would take a leading `+`.
fn whole(digits: &str) -> Option<u64> {
    digits
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| digits.parse().ok())
        .flatten()
}

/// `5`, `25` and `250` after the point are 500, 250 and 250 thousandths.
fn thousandths(fraction: &str) -> Option<u64> {
    let scale = match fraction.len() {
        1 => 100,
        2 => 10,
        3 => 1,
        _ => return None,
    };
    Some(whole(fraction)? * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: FromStr + fmt::Display + PartialEq + fmt::Debug>(text: &str, shown: Option<&str>) {
        let value = text.parse::<T>().ok();
        assert_eq!(
            value.as_ref().map(ToString::to_string).as_deref(),
            shown,
            "{text}"
        );
        if let Some(shown) = shown {
            assert_eq!(shown.parse::<T>().ok(), value, "round trip of {text}");
        }
    }

    #[test]
    fn cpu() {
        check::<Millicores>("250m", Some("250m"));
        check::<Millicores>("0.5", Some("500m"));
        check::<Millicores>("2", Some("2"));
        for bad in ["", "m", "-1", "+1", "1.2345", "1c", "5000000"] {
            check::<Millicores>(bad, None);
        }
    }

    #[test]
    fn bytes() {
        check::<Bytes>("128Mi", Some("128Mi"));
        check::<Bytes>("1024Mi", Some("1Gi"));
        check::<Bytes>("500M", Some("500000000"));
        check::<Bytes>("1024", Some("1Ki"));
        for bad in ["", "Mi", "128mb", "1.5Gi", "99999999999Ti"] {
            check::<Bytes>(bad, None);
        }
    }

    #[test]
    fn shares_rates_and_bounds() {
        check::<Share>("25%", Some("25%"));
        check::<Share>("1", Some("1"));
        check::<Share>("101%", None);
        assert_eq!(Share::Percent(25).of_rounded_up(3), 1);
        assert_eq!(Share::Percent(25).of_rounded_down(3), 0);
        check::<Percent>("70%", Some("70%"));
        check::<Percent>("99.95%", Some("99.95%"));
        check::<Percent>("100%", Some("100%"));
        for bad in ["", "%", "70", "100.001%", "101%", "-1%", "1.2345%"] {
            check::<Percent>(bad, None);
        }
        check::<Rate>("100/s", Some("100/s"));
        check::<Rate>("0/s", None);
        check::<Rate>("100", None);
        check::<Bounds<Millicores>>("100m..200m", Some("100m..200m"));
        check::<Bounds<Millicores>>("1..1", Some("1"));
        check::<Bounds<Millicores>>("200m..100m", None);
    }
}
