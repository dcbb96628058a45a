//! Times in Go's layouts: `2006-01-02T15:04:05Z07:00`.

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// A time as it is shown: in UTC, or with the offset with which it was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// Nanoseconds since the Unix epoch.
    pub(super) nanos: i64,
    /// Seconds east of Greenwich.
    offset: i64,
}

impl PartialEq for Moment {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

/// A part of a layout.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Part<'a> {
    Text(&'a str),
    Year,
    YearShort,
    Month,
    MonthPlain,
    MonthName,
    MonthShort,
    Day,
    DayPlain,
    DayBlank,
    DayOfYear,
    Weekday,
    WeekdayShort,
    Hour,
    Hour12,
    Hour12Plain,
    Minute,
    MinutePlain,
    Second,
    SecondPlain,
    Noon,
    NoonLower,
    Zone,
    /// Whether UTC is `Z`, whether there is a colon, and whether there are minutes.
    Offset {
        z: bool,
        colon: bool,
        minutes: bool,
    },
    /// How many digits, and whether zeros at the end go.
    Fraction {
        digits: usize,
        trims: bool,
    },
}

const PARTS: [(&str, Part<'static>); 30] = [
    ("January", Part::MonthName),
    ("Jan", Part::MonthShort),
    ("Monday", Part::Weekday),
    ("Mon", Part::WeekdayShort),
    ("MST", Part::Zone),
    ("2006", Part::Year),
    ("002", Part::DayOfYear),
    ("01", Part::Month),
    ("02", Part::Day),
    ("03", Part::Hour12),
    ("04", Part::Minute),
    ("05", Part::Second),
    ("06", Part::YearShort),
    ("15", Part::Hour),
    ("PM", Part::Noon),
    ("pm", Part::NoonLower),
    ("_2006", Part::Year),
    ("_2", Part::DayBlank),
    (
        "Z07:00",
        Part::Offset {
            z: true,
            colon: true,
            minutes: true,
        },
    ),
    (
        "Z0700",
        Part::Offset {
            z: true,
            colon: false,
            minutes: true,
        },
    ),
    (
        "Z07",
        Part::Offset {
            z: true,
            colon: false,
            minutes: false,
        },
    ),
    (
        "-07:00",
        Part::Offset {
            z: false,
            colon: true,
            minutes: true,
        },
    ),
    (
        "-0700",
        Part::Offset {
            z: false,
            colon: false,
            minutes: true,
        },
    ),
    (
        "-07",
        Part::Offset {
            z: false,
            colon: false,
            minutes: false,
        },
    ),
    ("1", Part::MonthPlain),
    ("2", Part::DayPlain),
    ("3", Part::Hour12Plain),
    ("4", Part::MinutePlain),
    ("5", Part::SecondPlain),
    ("", Part::Text("")),
];

/// The first part of a layout, and what follows.
fn part(layout: &str) -> (Part<'_>, &str) {
    if let Some(after) = layout.strip_prefix(['.', ',']) {
        let digit = after.chars().next().filter(|c| matches!(c, '0' | '9'));
        if let Some(digit) = digit {
            let rest = after.trim_start_matches(digit);
            if !rest.starts_with(|c: char| c.is_ascii_digit()) {
                let digits = (after.len() - rest.len()).min(9);
                let trims = digit == '9';
                return (Part::Fraction { digits, trims }, rest);
            }
        }
    }
    for (word, part) in PARTS {
        if !word.is_empty()
            && let Some(rest) = layout.strip_prefix(word)
        {
            return (part, rest);
        }
    }
    let length = layout.chars().next().map_or(0, char::len_utf8);
    let (text, rest) = layout.split_at(length);
    (Part::Text(text), rest)
}

impl Moment {
    pub(super) fn utc(nanos: i64) -> Self {
        Self { nanos, offset: 0 }
    }

    /// As a layout wants it.
    pub(super) fn format(self, layout: &str) -> String {
        let seconds = self.nanos.div_euclid(SECOND) + self.offset;
        let nanos = self.nanos.rem_euclid(SECOND);
        let (days, clock) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
        let hour12 = if hour % 12 == 0 { 12 } else { hour % 12 };
        let weekday = DAYS[usize::try_from((days + 4).rem_euclid(7)).unwrap_or(0)];
        let month_name = MONTHS[usize::try_from(month - 1).unwrap_or(0)];
        let mut out = String::new();
        let mut rest = layout;
        while !rest.is_empty() {
            let (part, after) = part(rest);
            let mark = rest.chars().next().unwrap_or('.');
            rest = after;
            let text = match part {
                Part::Text(text) => text.to_owned(),
                Part::Year => format!("{year:04}"),
                Part::YearShort => format!("{:02}", year.rem_euclid(100)),
                Part::Month => format!("{month:02}"),
                Part::MonthPlain => month.to_string(),
                Part::MonthName => month_name.to_owned(),
                Part::MonthShort => month_name[..3].to_owned(),
                Part::Day => format!("{day:02}"),
                Part::DayPlain => day.to_string(),
                Part::DayBlank => format!("{day:2}"),
                Part::DayOfYear => format!("{:03}", days - from_civil(year, 1, 1) + 1),
                Part::Weekday => weekday.to_owned(),
                Part::WeekdayShort => weekday[..3].to_owned(),
                Part::Hour => format!("{hour:02}"),
                Part::Hour12 => format!("{hour12:02}"),
                Part::Hour12Plain => hour12.to_string(),
                Part::Minute => format!("{minute:02}"),
                Part::MinutePlain => minute.to_string(),
                Part::Second => format!("{second:02}"),
                Part::SecondPlain => second.to_string(),
                Part::Noon => if hour < 12 { "AM" } else { "PM" }.to_owned(),
                Part::NoonLower => if hour < 12 { "am" } else { "pm" }.to_owned(),
                Part::Zone if self.offset == 0 => "UTC".to_owned(),
                Part::Zone => offset(self.offset, false, self.offset % 3600 != 0),
                Part::Offset { z: true, .. } if self.offset == 0 => "Z".to_owned(),
                Part::Offset { colon, minutes, .. } => offset(self.offset, colon, minutes),
                Part::Fraction { digits, trims } => {
                    let all = format!("{nanos:09}");
                    let mut shown = &all[..digits];
                    if trims {
                        shown = shown.trim_end_matches('0');
                    }
                    if shown.is_empty() {
                        String::new()
                    } else {
                        format!("{mark}{shown}")
                    }
                }
            };
            out.push_str(&text);
        }
        out
    }
}

fn offset(seconds: i64, colon: bool, minutes: bool) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let abs = seconds.abs();
    let mut out = format!("{sign}{:02}", abs / 3600);
    if minutes {
        out.push_str(if colon { ":" } else { "" });
        out.push_str(&format!("{:02}", abs / 60 % 60));
    }
    out
}

/// Days since 1970-01-01 to year, month and day of the Gregorian calendar (Howard Hinnant's algorithm).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// The other way round.
fn from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Reads a time by its layout; what does not fit is Go's zero time, the beginning of year 1, as near as nanoseconds in 64 bits come.
pub(super) fn parse(layout: &str, text: &str) -> Moment {
    read(layout, text).unwrap_or(Moment::utc(i64::MIN))
}

fn read(layout: &str, text: &str) -> Option<Moment> {
    let (mut year, mut month, mut day) = (1_i64, 1_i64, 1_i64);
    let (mut hour, mut minute, mut second, mut nanos) = (0_i64, 0_i64, 0_i64, 0_i64);
    let (mut noon, mut east) = (None, 0_i64);
    let mut layout = layout;
    let mut rest = text;
    while !layout.is_empty() {
        let (part, after) = part(layout);
        layout = after;
        match part {
            Part::Text(expected) => rest = rest.strip_prefix(expected)?,
            Part::Year => year = take(&mut rest, 4, 4)?,
            Part::YearShort => {
                let short = take(&mut rest, 2, 2)?;
                year = if short >= 69 {
                    1900 + short
                } else {
                    2000 + short
                };
            }
            Part::Month => month = take(&mut rest, 2, 2)?,
            Part::MonthPlain => month = take(&mut rest, 1, 2)?,
            Part::MonthName => month = name(&mut rest, &MONTHS, None)? + 1,
            Part::MonthShort => month = name(&mut rest, &MONTHS, Some(3))? + 1,
            Part::Day => day = take(&mut rest, 2, 2)?,
            Part::DayPlain => day = take(&mut rest, 1, 2)?,
            Part::DayBlank => {
                rest = rest.strip_prefix(' ').unwrap_or(rest);
                day = take(&mut rest, 1, 2)?;
            }
            Part::DayOfYear => {
                month = 1;
                day = take(&mut rest, 3, 3)?;
            }
            Part::Weekday => drop(name(&mut rest, &DAYS, None)?),
            Part::WeekdayShort => drop(name(&mut rest, &DAYS, Some(3))?),
            Part::Hour | Part::Hour12 => hour = take(&mut rest, 2, 2)?,
            Part::Hour12Plain => hour = take(&mut rest, 1, 2)?,
            Part::Minute => minute = take(&mut rest, 2, 2)?,
            Part::MinutePlain => minute = take(&mut rest, 1, 2)?,
            Part::Second | Part::SecondPlain => {
                let least = if part == Part::Second { 2 } else { 1 };
                second = take(&mut rest, least, 2)?;
                // A fraction may follow although the layout has none.
                if !layout.starts_with(['.', ',']) && rest.starts_with('.') {
                    nanos = fraction(&mut rest)?;
                }
            }
            Part::Noon | Part::NoonLower => {
                let word = rest.get(..2)?;
                noon = Some(match word {
                    "AM" | "am" => false,
                    "PM" | "pm" => true,
                    _ => return None,
                });
                rest = &rest[2..];
            }
            Part::Zone => {
                let end = rest
                    .find(|c: char| !c.is_ascii_uppercase())
                    .unwrap_or(rest.len());
                if end < 3 {
                    return None;
                }
                rest = &rest[end..];
            }
            Part::Offset { z, colon, minutes } => {
                if z && let Some(after) = rest.strip_prefix('Z') {
                    rest = after;
                    continue;
                }
                let sign = match rest.chars().next()? {
                    '+' => 1,
                    '-' => -1,
                    _ => return None,
                };
                rest = &rest[1..];
                let hours = take(&mut rest, 2, 2)?;
                let mut part = 0;
                if minutes {
                    if colon {
                        rest = rest.strip_prefix(':')?;
                    }
                    part = take(&mut rest, 2, 2)?;
                }
                east = sign * (hours * 3600 + part * 60);
            }
            Part::Fraction { trims, .. } => {
                if rest.starts_with(['.', ',']) {
                    nanos = fraction(&mut rest)?;
                } else if !trims {
                    return None;
                }
            }
        }
    }
    match noon {
        Some(true) if hour < 12 => hour += 12,
        Some(false) if hour == 12 => hour = 0,
        _ => {}
    }
    let fits = rest.is_empty()
        && (1..=12).contains(&month)
        && (1..=366).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !fits {
        return None;
    }
    let days = from_civil(year, month, 1) + day - 1;
    let seconds = days * DAY + hour * 3600 + minute * 60 + second - east;
    let nanos = seconds.checked_mul(SECOND)?.checked_add(nanos)?;
    Some(Moment {
        nanos,
        offset: east,
    })
}

fn take(rest: &mut &str, least: usize, most: usize) -> Option<i64> {
    let digits = rest
        .bytes()
        .take(most)
        .take_while(u8::is_ascii_digit)
        .count();
    if digits < least {
        return None;
    }
    let (number, after) = rest.split_at(digits);
    *rest = after;
    number.parse().ok()
}

/// Takes `.123`, in nanoseconds.
fn fraction(rest: &mut &str) -> Option<i64> {
    let after = &rest[1..];
    let end = after
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(after.len());
    let digits = &after[..end.min(9)];
    *rest = &after[end..];
    format!("{digits:0<9}").parse().ok()
}

fn name(rest: &mut &str, names: &[&str], length: Option<usize>) -> Option<i64> {
    for (index, name) in names.iter().enumerate() {
        let name = &name[..length.unwrap_or(name.len())];
        let begins = rest
            .get(..name.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(name));
        if begins {
            *rest = &rest[name.len()..];
            return i64::try_from(index).ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2023-11-14T22:13:20.123456789Z
    const TIME: i64 = 1_700_000_000_123_456_789;

    #[track_caller]
    fn check(layout: &str, expected: &str) {
        assert_eq!(Moment::utc(TIME).format(layout), expected, "{layout}");
    }

    #[test]
    fn layouts_are_those_of_go() {
        check("2006-01-02T15:04:05Z07:00", "2023-11-14T22:13:20Z");
        check(
            "2006-01-02T15:04:05.999999999Z07:00",
            "2023-11-14T22:13:20.123456789Z",
        );
        check(
            "Mon Jan _2 15:04:05.000 2006",
            "Tue Nov 14 22:13:20.123 2023",
        );
        check(
            "Monday, 02-Jan-06 3:4:5 PM MST",
            "Tuesday, 14-Nov-23 10:13:20 PM UTC",
        );
        check("1/2 -0700 002", "11/14 +0000 318");
        check("at", "at");
    }

    #[test]
    fn what_is_written_is_read_again() {
        for layout in [
            "2006-01-02T15:04:05.999999999Z07:00",
            "Mon, 02 Jan 2006 15:04:05.000000000 -0700",
            "January 2, 2006 3:04:05.000000000pm",
        ] {
            let text = Moment::utc(TIME).format(layout);
            assert_eq!(read(layout, &text).map(|m| m.nanos), Some(TIME), "{text}");
        }
        let east = read("2006-01-02T15:04:05Z07:00", "2023-11-15T00:13:20+02:00");
        assert_eq!(east.map(|m| m.nanos), Some(TIME - 123_456_789));
        assert!(read("2006-01-02", "2023-13-01").is_none());
        assert!(read("2006", "99999").is_none());
        assert!(read("2006-01-02", "9999-01-01").is_none(), "out of range");
    }

    #[test]
    fn every_day_has_its_date() {
        for days in (-800_000..800_000).step_by(997) {
            let (year, month, day) = civil(days);
            assert_eq!(from_civil(year, month, day), days);
        }
    }
}
