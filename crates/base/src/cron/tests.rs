use super::*;

/// 2024-02-28 23:58:30 UTC, a Wednesday.
const BEFORE_LEAP_DAY: Timestamp = Timestamp(1_709_164_710_000);

#[track_caller]
fn check(text: &str, next_after_leap_eve: Option<u64>) {
    let next = Cron::parse(text)
        .ok()
        .and_then(|cron| cron.next_after(BEFORE_LEAP_DAY));
    assert_eq!(
        next.map(|time| time.0 / 1000),
        next_after_leap_eve,
        "{text}"
    );
}

#[test]
fn next_runs() {
    check("* * * * *", Some(1_709_164_740)); // 23:59
    check("*/5 * * * *", Some(1_709_164_800)); // 29 February 00:00
    check("0 3 * * *", Some(1_709_175_600)); // 29 February 03:00
    check("0 0 29 2 *", Some(1_709_164_800));
    check("0 0 28 2 *", Some(1_740_700_800)); // 2025
    check("30 4 1,15 * 5", Some(1_709_267_400)); // 1 March 04:30, the 1st and a Friday
    check("0 12 * * MON-FRI", Some(1_709_208_000));
    check("0 0 * * 7", Some(1_709_424_000)); // Sunday 3 March
    check("0 0 * * 0", Some(1_709_424_000));
    check("@monthly", Some(1_709_251_200));
    check("0 0 1 JAN *", Some(1_735_689_600));
    check("10-20/5 0 * * *", Some(1_709_165_400));
}

#[test]
fn refused() {
    for text in [
        "",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "a * * * *",
        "*/0 * * * *",
        "5-1 * * * *",
        "0 0 30 2 *",
        "0 0 31 4,6,9,11 *",
        "1,, * * * *",
        "@never",
        "-1 * * * *",
        "99999999999 * * * *",
    ] {
        check(text, None);
    }
}

#[test]
fn the_calendar_of_a_century() {
    // Counted day by day, the naive way.
    let mut day = 0;
    for year in 1970..2101_u64 {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let lengths = [
            31,
            if leap { 29 } else { 28 },
            31,
            30,
            31,
            30,
            31,
            31,
            30,
            31,
            30,
            31,
        ];
        for (month, length) in (1..).zip(lengths) {
            for day_of_month in 1..=length {
                assert_eq!(month_and_day(day), (month, day_of_month), "{year}");
                day += 1;
            }
        }
    }
}
