//! Cron's five fields as systemd's `OnCalendar=`.

use wharf_base::cron::Cron;

/// The calendar expressions that together fire when `cron` does (`systemd.time(7)`); empty for a text that is none.
/// Two where cron takes either of a day of the month and a day of the week.
pub(super) fn expressions(cron: &str) -> Vec<String> {
    const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    let Ok(cron) = Cron::parse(cron) else {
        return vec![];
    };
    let fields = cron.fields();
    let list = |values: &[u32], all: usize, first: u32| {
        if values.len() == all {
            return "*".to_owned();
        }
        if let [begin, second, ..] = values
            && (1..values.len()).all(|i| values[i] - values[i - 1] == second - begin)
            && second - begin > 1
            && *begin < first + (second - begin)
            && values[values.len() - 1] + (second - begin)
                >= first + u32::try_from(all).unwrap_or(0)
        {
            return format!("{begin:02}/{}", second - begin);
        }
        let texts: Vec<String> = values.iter().map(|value| format!("{value:02}")).collect();
        texts.join(",")
    };
    let time = format!(
        "{}:{}:00 UTC",
        list(&fields.hours, 24, 0),
        list(&fields.minutes, 60, 0)
    );
    let months = list(&fields.months, 12, 1);
    let days = list(&fields.days, 31, 1);
    let weekdays: Vec<&str> = fields
        .weekdays
        .iter()
        .filter_map(|day| WEEKDAYS.get(*day as usize % 7).copied())
        .collect();
    let weekdays = if fields.weekdays.len() == 7 {
        String::new()
    } else {
        format!("{} ", weekdays.join(","))
    };
    if fields.both_days {
        vec![format!("{weekdays}*-{months}-{days} {time}")]
    } else {
        vec![
            format!("*-{months}-{days} {time}"),
            format!("{weekdays}*-{months}-* {time}"),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::expressions;

    #[test]
    fn a_cron_line_becomes_a_calendar_expression() {
        assert_eq!(expressions("0 4 * * 1"), ["Mon *-*-* 04:00:00 UTC"]);
        assert_eq!(expressions("*/5 * * * *"), ["*-*-* *:00/5:00 UTC"]);
        assert_eq!(expressions("30 2 1,15 * *"), ["*-*-01,15 02:30:00 UTC"]);
        assert_eq!(
            expressions("0 0 1 * 5"),
            ["*-*-01 00:00:00 UTC", "Fri *-*-* 00:00:00 UTC"]
        );
        assert_eq!(expressions("0 9-11 * 6 *"), ["*-06-* 09,10,11:00:00 UTC"]);
    }
}
