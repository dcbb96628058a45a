//! Cron schedules of five fields, in UTC, as Vixie cron reads them.
//!
//! `*`, lists, ranges, steps, `JAN`-`DEC`, `SUN`-`SAT` (7 is Sunday too) and `@daily` and its kin. Where both days are
//! restricted, either is enough. Written here because the crates for it bring time zones and calendars that a schedule
//! in UTC does not need.

use std::fmt;

use crate::clock::Timestamp;

/// A schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    /// One bit for each value of a field.
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether a day has to be in both `days` and `weekdays`; else one of them is enough.
    both_days: bool,
}

/// The values that a [`Cron`] names, each list in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    /// 0 to 59.
    pub minutes: Vec<u32>,
    /// 0 to 23.
    pub hours: Vec<u32>,
    /// 1 to 31.
    pub days: Vec<u32>,
    /// 1 to 12.
    pub months: Vec<u32>,
    /// 0 (Sunday) to 6.
    pub weekdays: Vec<u32>,
    /// Whether a day has to be in both `days` and `weekdays`; else one of them is enough.
    pub both_days: bool,
}

/// Why a text is not a [`Cron`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseCronError(String);

/// So much of a wrong field is shown; more does not help to recognise it.
const EXCERPT_CHARS: usize = 60;

struct FieldRule {
    name: &'static str,
    min: u32,
    max: u32,
    /// Words for the values from `min` on.
    words: &'static [&'static str],
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const FIELDS: [FieldRule; 5] = [
    FieldRule {
        name: "minute",
        min: 0,
        max: 59,
        words: &[],
    },
    FieldRule {
        name: "hour",
        min: 0,
        max: 23,
        words: &[],
    },
    FieldRule {
        name: "day of month",
        min: 1,
        max: 31,
        words: &[],
    },
    FieldRule {
        name: "month",
        min: 1,
        max: 12,
        words: &MONTHS,
    },
    FieldRule {
        name: "day of week",
        min: 0,
        max: 7,
        words: &WEEKDAYS,
    },
];

const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

impl Cron {
    /// Reads a schedule.
    ///
    /// # Errors
    /// Not five fields, a value out of its range, an unknown word, or a day that no month has (`30 2`).
    pub fn parse(text: &str) -> Result<Self, ParseCronError> {
        let nickname = NICKNAMES.iter().find(|(name, _)| *name == text);
        let fields: Vec<&str> = nickname
            .map_or(text, |(_, fields)| fields)
            .split_ascii_whitespace()
            .collect();
        let &[minutes, hours, days, months, weekdays] = fields.as_slice() else {
            return Err(ParseCronError(format!(
                "a cron schedule has five fields (minute, hour, day of month, month, day of week), found {}",
                fields.len()
            )));
        };
        let mut cron = Self {
            text: fields.join(" "),
            minutes: bits(minutes, &FIELDS[0])?,
            hours: bits(hours, &FIELDS[1])?,
            days: bits(days, &FIELDS[2])?,
            months: bits(months, &FIELDS[3])?,
            weekdays: bits(weekdays, &FIELDS[4])?,
            both_days: days.starts_with('*') || weekdays.starts_with('*'),
        };
        if cron.weekdays & (1 << 7) != 0 {
            cron.weekdays |= 1;
        }
        if cron.next_after(Timestamp(0)).is_none() {
            return Err(ParseCronError(format!(
                "the schedule `{text}` names a day that no month has"
            )));
        }
        Ok(cron)
    }

    /// The first full minute after `time` that the schedule names; none if there is none within 9 years, the
    /// longest way from one 29 February to the next.
    #[must_use]
    pub fn next_after(&self, time: Timestamp) -> Option<Timestamp> {
        const MINUTE_MILLIS: u64 = 60_000;
        const DAY_MINUTES: u64 = 24 * 60;
        let first = time.0 / MINUTE_MILLIS + 1;
        let first_day = first / DAY_MINUTES;
        (first_day..first_day + 9 * 366).find_map(|day| {
            if !self.names_day(day) {
                return None;
            }
            let from = if day == first_day {
                first % DAY_MINUTES
            } else {
                0
            };
            (from..DAY_MINUTES)
                .find(|minute| {
                    self.hours & (1 << (minute / 60)) != 0
                        && self.minutes & (1 << (minute % 60)) != 0
                })
                .map(|minute| Timestamp((day * DAY_MINUTES + minute) * MINUTE_MILLIS))
        })
    }

    /// The values that the fields name, for those who write the schedule in other words.
    #[must_use]
    pub fn fields(&self) -> Fields {
        let values = |bits: u64, from: u32, to: u32| {
            (from..=to)
                .filter(|value| bits & (1 << value) != 0)
                .collect()
        };
        Fields {
            minutes: values(self.minutes, 0, 59),
            hours: values(self.hours, 0, 23),
            days: values(self.days, 1, 31),
            months: values(self.months, 1, 12),
            weekdays: values(self.weekdays, 0, 6),
            both_days: self.both_days,
        }
    }

    /// Whether the schedule names the day that begins `day` days after 1 January 1970.
    fn names_day(&self, day: u64) -> bool {
        let (month, day_of_month) = month_and_day(day);
        // 1 January 1970 was a Thursday.
        let weekday = (day + 4) % 7;
        let by_day = self.days & (1 << day_of_month) != 0;
        let by_weekday = self.weekdays & (1 << weekday) != 0;
        let fits = if self.both_days {
            by_day && by_weekday
        } else {
            by_day || by_weekday
        };
        fits && self.months & (1 << month) != 0
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Month (from 1) and day (from 1) of a day since 1970: the proleptic Gregorian calendar in eras of 400 years that
/// begin on 1 March, so that the leap day is an era's last (H. Hinnant, "chrono-compatible low-level date algorithms").
fn month_and_day(day: u64) -> (u64, u64) {
    let day_of_era = (day + 719_468) % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    (month, day_of_month)
}

/// The values that one field names.
fn bits(text: &str, rule: &FieldRule) -> Result<u64, ParseCronError> {
    let wrong = |part: &str| {
        let part: String = part
            .chars()
            .take(EXCERPT_CHARS)
            .flat_map(char::escape_debug)
            .collect();
        let FieldRule { name, min, max, .. } = rule;
        ParseCronError(format!(
            "`{part}` is no {name} of a cron schedule: {min} to {max}, `*`, a list, a range or a step"
        ))
    };
    let mut all = 0;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (
                range,
                number(step)
                    .filter(|step| *step > 0)
                    .ok_or_else(|| wrong(part))?,
            ),
            None => (part, 1),
        };
        let (from, to) = if range == "*" {
            // Sunday would be counted twice.
            (
                rule.min,
                rule.max.min(if rule.min == 0 && rule.max == 7 {
                    6
                } else {
                    rule.max
                }),
            )
        } else {
            let (from, to) = range
                .split_once('-')
                .map_or((range, None), |(from, to)| (from, Some(to)));
            let from = value(from, rule).ok_or_else(|| wrong(part))?;
            let to = match to {
                Some(to) => value(to, rule).ok_or_else(|| wrong(part))?,
                None if part.contains('/') => rule.max,
                None => from,
            };
            (from, to)
        };
        if from > to {
            return Err(wrong(part));
        }
        let mut value = from;
        while value <= to {
            all |= 1 << value;
            value = value.saturating_add(step);
        }
    }
    Ok(all)
}

fn value(text: &str, rule: &FieldRule) -> Option<u32> {
    let lower = text.to_ascii_lowercase();
    let word = rule.words.iter().position(|word| *word == lower);
    let value = match word {
        Some(at) => rule.min + u32::try_from(at).ok()?,
        None => number(text)?,
    };
    (rule.min..=rule.max).contains(&value).then_some(value)
}

fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests;
