//! Random expressions over the whole grammar, of the right types.

use fastrand::Rng;

/// Makes expressions about the series of [`super::data`].
pub(crate) struct Generator {
    rng: Rng,
    /// The times that `@` may name, in seconds.
    times: (i64, i64),
}

const METRICS: [&str; 9] = [
    "requests_total",
    "errors_total",
    "temperature",
    "queue",
    "up",
    "build_info",
    "latency_seconds_bucket",
    "latency_seconds_sum",
    "lonely",
];

const LABELS: [(&str, [&str; 3]); 5] = [
    ("job", ["api", "web", "db"]),
    ("instance", ["a:1", "b:2", "c:3"]),
    ("code", ["200", "404", "500"]),
    ("le", ["0.1", "1", "+Inf"]),
    ("version", ["1", "2", ""]),
];

const RANGES: [&str; 8] = ["30s", "1m", "2m", "5m", "90s", "10m", "299s", "301"];

const PLAIN: [&str; 28] = [
    "abs",
    "absent",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "ceil",
    "cos",
    "cosh",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "deg",
    "exp",
    "floor",
    "hour",
    "ln",
    "log10",
    "log2",
    "minute",
    "month",
    "rad",
    "sgn",
    "sqrt",
    "year",
];

const OVER_TIME: [&str; 22] = [
    "absent_over_time",
    "avg_over_time",
    "changes",
    "count_over_time",
    "delta",
    "deriv",
    "first_over_time",
    "idelta",
    "increase",
    "irate",
    "last_over_time",
    "max_over_time",
    "min_over_time",
    "present_over_time",
    "rate",
    "rate",
    "increase",
    "resets",
    "stddev_over_time",
    "stdvar_over_time",
    "sum_over_time",
    "avg_over_time",
];

impl Generator {
    pub(crate) fn new(seed: u64, times: (i64, i64)) -> Self {
        Self {
            rng: Rng::with_seed(seed),
            times,
        }
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.rng.usize(..from.len())]
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.u32(..100) < percent
    }

    /// Any expression that a range query allows.
    pub(crate) fn expr(&mut self) -> String {
        let depth = self.rng.u32(1..5);
        if self.chance(8) {
            self.scalar(depth)
        } else {
            self.vector(depth)
        }
    }

    fn matcher(&mut self) -> String {
        let (name, values) = self.pick(&LABELS);
        let value = self.pick(&values);
        match self.rng.u32(..6) {
            0 | 1 => format!("{name}=\"{value}\""),
            2 => format!("{name}!=\"{value}\""),
            3 => {
                let either = format!("{value}|{}", self.pick(&values)).replace('+', "\\\\+");
                format!("{name}=~\"{either}\"")
            }
            4 => format!(
                "{name}=~'.*{}.*'",
                value.get(..1).unwrap_or_default().replace('+', "I")
            ),
            _ => format!("{name}!~`{value}.*`", value = value.replace('+', "I")),
        }
    }

    fn bare_selector(&mut self) -> String {
        let metric = self.pick(&METRICS);
        let matchers: Vec<String> = (0..self.rng.u32(..3)).map(|_| self.matcher()).collect();
        let matchers = matchers.join(", ");
        match self.rng.u32(..12) {
            0 if !matchers.is_empty() => format!("{{__name__=\"{metric}\", {matchers}}}"),
            1 => format!("{{\"{metric}\"}}"),
            2 if self.chance(50) => {
                let other = self.pick(&METRICS);
                format!("{{__name__=~\"{metric}|{other}\"}}")
            }
            _ if matchers.is_empty() => metric.to_owned(),
            _ => format!("{metric}{{{matchers}}}"),
        }
    }

    fn shift(&mut self) -> String {
        let mut shift = String::new();
        if self.chance(8) {
            let (start, end) = self.times;
            shift += &match self.rng.u32(..4) {
                0 => " @ start()".to_owned(),
                1 => " @ end()".to_owned(),
                _ => format!(" @ {}", self.rng.i64(start..end)),
            };
        }
        if self.chance(12) {
            let sign = if self.chance(30) { "-" } else { "" };
            shift += &format!(" offset {sign}{}", self.pick(&RANGES));
        }
        shift
    }

    fn range(&mut self, depth: u32) -> String {
        let range = self.pick(&RANGES);
        if depth > 1 && self.chance(20) {
            let inner = self.vector(depth - 1);
            let step = self.pick(&["", "15s", "1m", "40s", "7s"]);
            return format!("({inner})[{range}:{step}]{}", self.shift());
        }
        format!("{}[{range}]{}", self.bare_selector(), self.shift())
    }

    fn labels(&mut self) -> String {
        let count = self.rng.usize(..3);
        let names: Vec<&str> = (0..count).map(|_| self.pick(&LABELS).0).collect();
        names.join(", ")
    }

    fn aggregate(&mut self, depth: u32) -> String {
        let inner = self.vector(depth - 1);
        let grouping = match self.rng.u32(..5) {
            0 => String::new(),
            1 => format!(" without ({})", self.labels()),
            _ => format!(" by ({})", self.labels()),
        };
        match self.rng.u32(..16) {
            0 => format!("topk{grouping} ({}, {inner})", self.rng.u32(..4)),
            1 => format!("bottomk{grouping} ({}, {inner})", self.rng.u32(..4)),
            2 => format!("quantile{grouping} ({}, {inner})", self.share()),
            3 => format!("count_values{grouping} (\"v\", clamp(round({inner}), -99, 99))"),
            4 => format!("topk{grouping} (scalar({}), {inner})", self.bare_selector()),
            _ => {
                let op = self.pick(&[
                    "sum", "avg", "min", "max", "count", "group", "stddev", "stdvar", "sum",
                    "count",
                ]);
                if self.chance(30) {
                    format!("{op}({inner}){grouping}")
                } else {
                    format!("{op}{grouping} ({inner})")
                }
            }
        }
    }

    fn share(&mut self) -> &'static str {
        self.pick(&["0.5", "0.9", "0.99", "0", "1", "0.25", "-1", "2", "NaN"])
    }

    fn matching(&mut self, is_set: bool) -> String {
        let words = match self.rng.u32(..4) {
            0 => String::new(),
            1 => format!(" ignoring ({})", self.labels()),
            _ => format!(" on ({})", self.labels()),
        };
        if words.is_empty() || is_set {
            return words;
        }
        // A label of `on` must not be included as well: labels that are in no matching.
        let group = match self.rng.u32(..4) {
            0 => " group_left",
            1 => " group_right",
            _ => return words,
        };
        let include = if self.chance(40) { " (extra)" } else { " ()" };
        format!("{words}{group}{include}")
    }

    fn binary(&mut self, depth: u32) -> String {
        let arithmetic = ["+", "-", "*", "/", "%", "^", "atan2"];
        let comparisons = ["==", "!=", ">", "<", ">=", "<="];
        let lhs = self.vector(depth - 1);
        if self.chance(25) {
            let op = self.pick(&["and", "or", "unless"]);
            let rhs = self.vector(depth - 1);
            return format!("{lhs} {op}{} {rhs}", self.matching(true));
        }
        let op = if self.chance(50) {
            self.pick(&arithmetic).to_owned()
        } else {
            let bool = if self.chance(40) { " bool" } else { "" };
            format!("{}{bool}", self.pick(&comparisons))
        };
        match self.rng.u32(..4) {
            0 => format!("{lhs} {op} {}", self.scalar(depth - 1)),
            1 => format!("{} {op} {lhs}", self.scalar(depth - 1)),
            _ => {
                let rhs = self.vector(depth - 1);
                format!("{lhs} {op}{} {rhs}", self.matching(false))
            }
        }
    }

    fn call(&mut self, depth: u32) -> String {
        let inner = self.vector(depth - 1);
        match self.rng.u32(..13) {
            0 => format!("clamp({inner}, {}, {})", self.scalar(1), self.scalar(1)),
            1 => format!("clamp_max({inner}, {})", self.scalar(1)),
            2 => format!("clamp_min({inner}, {})", self.scalar(1)),
            3 => format!("round({inner}, {})", self.pick(&["1", "0.5", "5", "0.1"])),
            4 => format!("timestamp({inner})"),
            5 => format!("{}({inner})", self.pick(&["sort", "sort_desc"])),
            6 => {
                let (from, to) = (self.pick(&LABELS).0, self.pick(&["job", "new", "le"]));
                format!("label_replace({inner}, \"{to}\", \"$1-x\", \"{from}\", \"(.).*\")")
            }
            7 => {
                let (one, two) = (self.pick(&LABELS).0, self.pick(&LABELS).0);
                format!("label_join({inner}, \"new\", \"-\", \"{one}\", \"{two}\")")
            }
            8 => {
                let buckets = match self.rng.u32(..3) {
                    0 => "latency_seconds_bucket".to_owned(),
                    1 => "rate(latency_seconds_bucket[5m])".to_owned(),
                    _ => "sum by (le, job) (rate(latency_seconds_bucket[2m]))".to_owned(),
                };
                format!("histogram_quantile({}, {buckets})", self.share())
            }
            9 => format!(
                "histogram_fraction({}, {}, latency_seconds_bucket)",
                self.pick(&["0", "0.05", "0.1", "-Inf"]),
                self.pick(&["0.5", "1", "3", "+Inf", "NaN"])
            ),
            _ => format!("{}({inner})", self.pick(&PLAIN)),
        }
    }

    fn vector(&mut self, depth: u32) -> String {
        if depth <= 1 {
            return match self.rng.u32(..20) {
                0 => format!("vector({})", self.number()),
                _ => format!("{}{}", self.bare_selector(), self.shift()),
            };
        }
        match self.rng.u32(..20) {
            0..5 => {
                let range = self.range(depth);
                match self.rng.u32(..10) {
                    0 => format!("quantile_over_time({}, {range})", self.share()),
                    1 => format!("predict_linear({range}, {})", self.scalar(1)),
                    _ => format!("{}({range})", self.pick(&OVER_TIME)),
                }
            }
            5..9 => self.aggregate(depth),
            9..13 => format!("({})", self.binary(depth)),
            13..17 => self.call(depth),
            17 => format!("-{}", self.vector(1)),
            18 => format!("vector({})", self.scalar(depth - 1)),
            _ => format!("{}{}", self.bare_selector(), self.shift()),
        }
    }

    fn number(&mut self) -> &'static str {
        self.pick(&[
            "0", "1", "2", "-1", "0.5", "10", "100", "NaN", "Inf", "-Inf", "5m", "0x10", "1e3", "3",
        ])
    }

    fn scalar(&mut self, depth: u32) -> String {
        if depth <= 1 || self.chance(40) {
            return self.number().to_owned();
        }
        match self.rng.u32(..6) {
            0 => "time()".to_owned(),
            1 => "pi()".to_owned(),
            2 => format!("scalar({})", self.vector(depth - 1)),
            3 => {
                let op = self.pick(&["== bool", "< bool", ">= bool"]);
                format!("({} {op} {})", self.scalar(depth - 1), self.scalar(1))
            }
            4 => format!("-{}", self.scalar(1).trim_start_matches('-')),
            _ => {
                let op = self.pick(&["+", "-", "*", "/", "%"]);
                format!("({} {op} {})", self.scalar(depth - 1), self.scalar(1))
            }
        }
    }
}
