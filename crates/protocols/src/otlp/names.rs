//! OpenTelemetry's names as Prometheus and Loki have them: dots and the like become underscores, units and `_total` are
//! suffixes.

/// Which suffixes a metric's name gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Suffix {
    /// `_total`
    Counter,
    /// `_ratio`, where the unit is 1.
    Gauge,
    /// Only the unit.
    Other,
}

/// A metric's name: its parts joined with single underscores, with its unit and its kind's suffix. None if nothing is left of it.
pub(super) fn metric(name: &str, unit: &str, suffix: Suffix) -> Option<String> {
    let letter = |c: char| c.is_ascii_alphanumeric() || c == ':';
    let mut parts: Vec<&str> = name
        .split(|c| !letter(c))
        .filter(|p| !p.is_empty())
        .collect();
    let (main, per) = unit_parts(unit);
    if !main.is_empty() && !parts.contains(&main.as_str()) {
        // With a second part behind it, an underscore at its end would be doubled.
        let end = if per.is_empty() { "" } else { "_" };
        parts.push(if end.is_empty() {
            &main
        } else {
            main.trim_end_matches('_')
        });
    }
    if !per.is_empty() && !parts.contains(&per.as_str()) {
        parts.push(&per);
    }
    let last = match suffix {
        Suffix::Counter => "total",
        Suffix::Gauge if unit == "1" => "ratio",
        _ => "",
    };
    if !last.is_empty() {
        parts.retain(|part| *part != last);
        parts.push(last);
    }
    let mut joined = parts.join("_");
    if joined.starts_with(|c: char| c.is_ascii_digit()) {
        joined.insert(0, '_');
    }
    joined.contains(|c| c != '_').then_some(joined)
}

/// A unit in words: `s` is `seconds`, `By/s` is `bytes_per_second`.
pub(super) fn unit(unit: &str) -> String {
    let (main, per) = unit_parts(unit);
    let gap = if main.is_empty() || per.is_empty() {
        ""
    } else {
        "_"
    };
    format!("{main}{gap}{per}").trim_matches('_').to_owned()
}

fn unit_parts(unit: &str) -> (String, String) {
    let (main, per) = unit.split_once('/').unwrap_or((unit, ""));
    let said = |part: &str| {
        let part = part.trim().to_owned();
        if part.contains(['{', '}']) {
            String::new()
        } else {
            part
        }
    };
    let (main, per) = (said(main), said(per));
    let main = clean(main_unit(&main).unwrap_or(&main));
    let per = clean(per_unit(&per).unwrap_or(&per));
    let per = per.trim_end_matches('_');
    (
        main,
        if per.is_empty() {
            String::new()
        } else {
            format!("per_{per}")
        },
    )
}

/// Without what a name cannot have, and without an underscore at its beginning.
fn clean(unit: &str) -> String {
    let mut cleaned = String::with_capacity(unit.len());
    for c in unit.chars() {
        if c.is_ascii_alphanumeric() || c == ':' {
            cleaned.push(c);
        } else if !cleaned.ends_with('_') && !cleaned.is_empty() {
            cleaned.push('_');
        }
    }
    cleaned
}

fn main_unit(unit: &str) -> Option<&'static str> {
    Some(match unit {
        "d" => "days",
        "h" => "hours",
        "min" => "minutes",
        "s" => "seconds",
        "ms" => "milliseconds",
        "us" => "microseconds",
        "ns" => "nanoseconds",
        "By" => "bytes",
        "KiBy" => "kibibytes",
        "MiBy" => "mebibytes",
        "GiBy" => "gibibytes",
        "TiBy" => "tibibytes",
        "KBy" => "kilobytes",
        "MBy" => "megabytes",
        "GBy" => "gigabytes",
        "TBy" => "terabytes",
        "m" => "meters",
        "V" => "volts",
        "A" => "amperes",
        "J" => "joules",
        "W" => "watts",
        "g" => "grams",
        "Cel" => "celsius",
        "Hz" => "hertz",
        "1" => "",
        "%" => "percent",
        _ => return None,
    })
}

fn per_unit(unit: &str) -> Option<&'static str> {
    Some(match unit {
        "s" => "second",
        "m" => "minute",
        "h" => "hour",
        "d" => "day",
        "w" => "week",
        "mo" => "month",
        "y" => "year",
        _ => return None,
    })
}

/// A label's name in Prometheus: each character that it cannot have is an underscore. None if nothing is left of it.
pub(super) fn label(key: &str) -> Option<String> {
    let word = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let mut name: String = key.chars().map(word).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert_str(0, "key_");
    } else if name.starts_with('_') && !name.starts_with("__") {
        name.insert_str(0, "key");
    }
    key.contains(|c| c != '_')
        .then_some(name)
        .filter(|name| name.contains(|c| c != '_'))
}

/// A label's name in Loki: characters that it cannot have are one underscore. None if nothing is left of it.
pub(super) fn loki_label(key: &str) -> Option<String> {
    let mut name = String::with_capacity(key.len());
    for c in key.chars() {
        if c.is_ascii_alphanumeric() {
            name.push(c);
        } else if !name.ends_with('_') {
            name.push('_');
        }
    }
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert_str(0, "key_");
    }
    name.contains(|c| c != '_').then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_have_their_units_as_suffixes() {
        for (name, unit, suffix, expected) in [
            (
                "http.server.duration",
                "s",
                Suffix::Other,
                "http_server_duration_seconds",
            ),
            (
                "http.server.duration.seconds",
                "s",
                Suffix::Other,
                "http_server_duration_seconds",
            ),
            ("requests", "{request}", Suffix::Counter, "requests_total"),
            (
                "requests.total.sum",
                "1",
                Suffix::Counter,
                "requests_sum_total",
            ),
            (
                "cpu.utilization",
                "1",
                Suffix::Gauge,
                "cpu_utilization_ratio",
            ),
            ("io", "By/s", Suffix::Gauge, "io_bytes_per_second"),
            ("io", "By/{op}", Suffix::Gauge, "io_bytes"),
            ("5xx", "", Suffix::Other, "_5xx"),
            ("a__b", "weird unit!", Suffix::Other, "a_b_weird_unit_"),
            ("temperature", "Cel", Suffix::Gauge, "temperature_celsius"),
        ] {
            assert_eq!(metric(name, unit, suffix).as_deref(), Some(expected));
        }
        assert_eq!(metric("...", "", Suffix::Other), None);
        assert_eq!(super::unit("By/s"), "bytes_per_second");
        assert_eq!(super::unit("1"), "");
    }

    #[test]
    fn labels_are_sanitized() {
        assert_eq!(label("http.method").as_deref(), Some("http_method"));
        assert_eq!(label("5xx").as_deref(), Some("key_5xx"));
        assert_eq!(label("_x").as_deref(), Some("key_x"));
        assert_eq!(label("__x__").as_deref(), Some("__x__"));
        assert_eq!(label("a..b").as_deref(), Some("a__b"));
        assert_eq!(label("__"), None);
        assert_eq!(loki_label("a..b").as_deref(), Some("a_b"));
        assert_eq!(loki_label(""), None);
    }
}
