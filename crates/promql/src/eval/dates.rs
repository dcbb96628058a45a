//! Years, months and days of a time in UTC.
//!
//! The calendar's arithmetic is that of days since 0000-03-01, in eras of 400 years (H. Hinnant, "chrono-compatible
//! low-level date algorithms").

const DAY: i64 = 86_400;

/// A time taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    /// Days since the Unix epoch.
    days: i64,
    second: i64,
}

impl Date {
    /// Of seconds since the Unix epoch.
    pub(super) fn new(seconds: i64) -> Self {
        let days = seconds.div_euclid(DAY);
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 {
            from_march + 3
        } else {
            from_march - 9
        };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self {
            year,
            month,
            day,
            days,
            second: seconds.rem_euclid(DAY),
        }
    }

    pub(super) fn hour(self) -> i64 {
        self.second / 3600
    }

    pub(super) fn minute(self) -> i64 {
        self.second % 3600 / 60
    }

    /// 0 is Sunday.
    pub(super) fn weekday(self) -> i64 {
        (self.days + 4).rem_euclid(7)
    }

    fn is_leap(self) -> bool {
        self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0)
    }

    pub(super) fn days_in_month(self) -> i64 {
        match self.month {
            2 => 28 + i64::from(self.is_leap()),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }

    /// 1 is the first of January.
    pub(super) fn day_of_year(self) -> i64 {
        let before = (1..self.month).map(|month| Self { month, ..self }.days_in_month());
        before.sum::<i64>() + self.day
    }
}

/// Milliseconds since the Unix epoch as RFC 3339 writes them, in whole seconds.
pub(super) fn rfc3339(millis: i64) -> String {
    let date = Date::new(millis.div_euclid(1000));
    let (hour, minute, second) = (date.hour(), date.minute(), date.second % 60);
    let Date {
        year, month, day, ..
    } = date;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(seconds: i64, expected: &str, weekday: i64, day_of_year: i64) {
        assert_eq!(rfc3339(seconds * 1000), expected);
        let date = Date::new(seconds);
        assert_eq!((date.weekday(), date.day_of_year()), (weekday, day_of_year));
    }

    #[test]
    fn times_are_taken_apart() {
        check(0, "1970-01-01T00:00:00Z", 4, 1);
        check(-1, "1969-12-31T23:59:59Z", 3, 365);
        check(951_782_400, "2000-02-29T00:00:00Z", 2, 60);
        check(1_704_067_199, "2023-12-31T23:59:59Z", 0, 365);
        check(4_107_542_399, "2100-02-28T23:59:59Z", 0, 59);
        assert_eq!(Date::new(951_782_400).days_in_month(), 29);
    }
}
