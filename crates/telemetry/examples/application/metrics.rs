//! What an application tells: counters that grow by what was asked, gauges that wander, histograms. It depends on the target's number
//! and on the time in steps of one second alone.

use std::fmt::Write as _;

/// Upper bounds of the histograms, as client libraries have them.
const BUCKETS: [&str; 12] = [
    "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf",
];

/// Writes a line to a text, which does not fail.
macro_rules! line {
    ($out:expr, $($format:tt)*) => {
        writeln!($out, $($format)*).expect("a text takes every line")
    };
}

/// The metrics of a target at a time: so many series, or a few less.
pub(crate) fn exposition(target: u64, series: usize, seconds: u64) -> String {
    let mut out = String::with_capacity(series * 96);
    let mut left = series;
    // A third counters, a third gauges, the rest histograms of 14 series.
    let counters = series / 3;
    out.push_str("# HELP http_requests_total Requests.\n# TYPE http_requests_total counter\n");
    for n in 0..counters {
        let rate = 1 + (mix(target, n as u64) % 50);
        let value = rate * seconds + mix(n as u64, seconds) % 5;
        line!(
            out,
            "http_requests_total{{method=\"{}\",endpoint=\"/api/v1/resource{}\",status=\"{}\"}} {value}",
            ["GET", "POST", "PUT", "DELETE"][n % 4],
            n / 20,
            [200, 201, 404, 500, 503][n / 4 % 5],
        );
    }
    left -= counters;
    out.push_str("# HELP pool_connections Connections.\n# TYPE pool_connections gauge\n");
    let gauges = left / 2;
    for n in 0..gauges {
        // Most gauges stay as they are most of the time.
        let moves = seconds / (1 + mix(target, n as u64) % 120);
        let value = mix(n as u64 ^ target, moves) % 1000;
        line!(
            out,
            "pool_connections{{pool=\"pool-{}\",state=\"{}\"}} {value}",
            n / 4,
            ["active", "idle", "waiting", "closed"][n % 4],
        );
    }
    left -= gauges;
    out.push_str(
        "# HELP request_duration_seconds Durations.\n# TYPE request_duration_seconds histogram\n",
    );
    for n in 0..left / (BUCKETS.len() + 2) {
        let mut total = 0;
        for (index, bucket) in BUCKETS.iter().enumerate() {
            total += seconds * (1 + mix(target + n as u64, index as u64) % 9) / 3;
            line!(
                out,
                "request_duration_seconds_bucket{{route=\"/page/{n}\",le=\"{bucket}\"}} {total}"
            );
        }
        line!(
            out,
            "request_duration_seconds_sum{{route=\"/page/{n}\"}} {}",
            total as f64 * 0.173
        );
        line!(
            out,
            "request_duration_seconds_count{{route=\"/page/{n}\"}} {total}"
        );
    }
    out
}

/// Two numbers to one that looks like chance (the finalizer of SplitMix64).
fn mix(a: u64, b: u64) -> u64 {
    let mut z = a.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(b);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
