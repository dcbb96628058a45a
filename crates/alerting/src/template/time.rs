//! Times and durations as Go writes them.

use super::format::four;

/// `2026-01-02 03:04:05.5 +0000 UTC`
///
/// # Errors
/// Go has no such time.
pub(super) fn timestamp(seconds: f64) -> Result<String, String> {
    let nanos = seconds * 1e9;
    // Go counts nanoseconds in 64 bits.
    if !(-9.2e18..=9.2e18).contains(&nanos) {
        let number = super::format::number(seconds);
        return Err(format!(
            "{number} cannot be represented as a nanoseconds timestamp since it overflows int64"
        ));
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is within the range")]
    let millis = nanos as i64 / 1_000_000;
    let time = jiff::Timestamp::from_millisecond(millis).map_err(|error| error.to_string())?;
    let text = time.to_string();
    let text = text.trim_end_matches('Z');
    Ok(format!("{} +0000 UTC", text.replacen('T', " ", 1)))
}

/// `1h2m3.5s`
pub(super) fn duration(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    let part = |nanos: u64, unit: u64| {
        let (whole, rest) = (nanos / unit, nanos % unit);
        let digits = unit.ilog10() as usize;
        let rest = format!("{rest:0digits$}");
        let rest = rest.trim_end_matches('0');
        if rest.is_empty() || unit == 1 {
            whole.to_string()
        } else {
            format!("{whole}.{rest}")
        }
    };
    let text = match nanos {
        0 => "0s".to_owned(),
        1..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => format!("{}µs", part(nanos, 1_000)),
        1_000_000..1_000_000_000 => format!("{}ms", part(nanos, 1_000_000)),
        _ => {
            let minutes = nanos / 60_000_000_000;
            let seconds = part(nanos % 60_000_000_000, 1_000_000_000);
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{seconds}s"),
                (0, minutes) => format!("{minutes}m{seconds}s"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
            }
        }
    };
    format!("{sign}{text}")
}

/// Prometheus' durations as seconds: `1h30m`, `-5m`.
pub(super) fn parse_duration(text: &str) -> Option<f64> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text),
    };
    let duration = crate::rules::duration::parse(rest).ok()?;
    Some(sign * duration.as_secs_f64())
}

/// Seconds for a person, as Prometheus writes them.
pub(super) fn humanized(seconds: f64) -> String {
    if !seconds.is_finite() {
        return four(seconds);
    }
    if seconds == 0.0 {
        return format!("{}s", four(seconds));
    }
    if seconds.abs() < 1.0 {
        return super::functions::scaled_down(seconds) + "s";
    }
    let sign = if seconds < 0.0 { "-" } else { "" };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive; saturates"
    )]
    let whole = seconds.abs() as u64;
    let (days, hours) = (whole / 86_400, whole / 3600 % 24);
    let (minutes, rest) = (whole / 60 % 60, whole % 60);
    let text = match (days, hours, minutes) {
        (0, 0, 0) => format!("{}s", four(seconds.abs())),
        (0, 0, minutes) => format!("{minutes}m {rest}s"),
        (0, hours, minutes) => format!("{hours}h {minutes}m {rest}s"),
        (days, hours, minutes) => format!("{days}d {hours}h {minutes}m {rest}s"),
    };
    format!("{sign}{text}")
}
