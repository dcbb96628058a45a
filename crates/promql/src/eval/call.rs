//! Calls of functions.

use wharf_signal::Labels;

use super::dates::Date;
use super::notes::Note;
use super::row::{Grid, Row, is_present, merge_same_labels};
use super::{Evaluator, text};
use crate::ast::{Call, Expr, ValueType};
use crate::error::EvalError;

impl<'a> Evaluator<'a> {
    /// A function that gives a number.
    pub(super) fn scalar_call(
        &mut self,
        call: &'a Call,
        grid: Grid,
    ) -> Result<Vec<f64>, EvalError> {
        let constant = |value: f64| Ok(vec![value; grid.steps]);
        match (call.function.name, &call.args[..]) {
            ("time", _) => Ok((0..grid.steps)
                .map(|step| seconds(grid.time(step)))
                .collect()),
            ("pi", _) => constant(std::f64::consts::PI),
            ("start", _) => constant(seconds(self.start)),
            ("end", _) => constant(seconds(self.end)),
            ("range", _) => constant(seconds(self.end - self.start)),
            ("step", _) if self.start == self.end => constant(0.0),
            ("step", _) => constant(seconds(self.step)),
            ("min_of" | "max_of", [one, other]) => {
                let mut values = self.scalar(one, grid)?;
                let others = self.scalar(other, grid)?;
                let is_max = call.function.name == "max_of";
                for (value, other) in values.iter_mut().zip(others) {
                    *value = if is_max {
                        go_max(*value, other)
                    } else {
                        go_min(*value, other)
                    };
                }
                Ok(values)
            }
            ("scalar", [vector]) => {
                let rows = self.vector(vector, grid)?;
                let mut values = vec![f64::NAN; grid.steps];
                let mut found = vec![0u8; grid.steps];
                for row in &rows {
                    for (step, value) in row.present() {
                        values[step] = if found[step] == 0 { value } else { f64::NAN };
                        found[step] = 1;
                    }
                }
                Ok(values)
            }
            (name, _) => Err(EvalError::invalid(format!("unknown function {name}"))),
        }
    }

    /// A function that gives series.
    pub(super) fn call(&mut self, call: &'a Call, grid: Grid) -> Result<Vec<Row>, EvalError> {
        let is_matrix = |arg: &Expr| arg.value_type() == ValueType::Matrix;
        if call.args.iter().any(is_matrix) {
            return self.over_time(call, grid);
        }
        match (call.function.name, &call.args[..]) {
            ("label_replace", _) => self.label_replace(call, grid),
            ("label_join", _) => self.label_join(call, grid),
            ("histogram_quantile", _) => self.histogram_quantile(call, grid),
            ("histogram_fraction", _) => self.histogram_fraction(call, grid),
            // Of native histograms, of which there are none.
            (
                "histogram_avg" | "histogram_count" | "histogram_stddev" | "histogram_stdvar"
                | "histogram_sum",
                [vector],
            ) => {
                self.vector(vector, grid)?;
                Ok(Vec::new())
            }
            ("sort" | "sort_desc" | "sort_by_label" | "sort_by_label_desc", [vector, ..]) => {
                self.sorted(call, vector, grid)
            }
            ("absent", [vector]) => {
                let rows = self.vector(vector, grid)?;
                let labels = match vector.unwrapped() {
                    Expr::Selector(selector) => selector.absent_labels(),
                    _ => Labels::empty(),
                };
                Ok(super::absent::where_absent(labels, &rows, grid))
            }
            ("vector", [scalar]) => {
                let values = self.scalar(scalar, grid)?;
                let labels = Labels::empty();
                Ok(vec![Row {
                    values,
                    ..Row::new(labels, false)
                }])
            }
            ("timestamp", [vector]) => {
                let rows = match vector.unwrapped() {
                    Expr::Selector(selector) => self.select_times(selector, grid)?,
                    _ => {
                        let mut rows = self.vector(vector, grid)?;
                        for row in &mut rows {
                            row.update(|step, _| seconds(grid.time(step)));
                        }
                        rows
                    }
                };
                self.mapped(rows, |_, value| value)
            }
            ("clamp" | "clamp_min" | "clamp_max", [vector, limits @ ..]) => {
                self.clamped(call, vector, limits, grid)
            }
            ("round", [vector, nearest @ ..]) => {
                let rows = self.vector(vector, grid)?;
                let nearest = match nearest {
                    [nearest, ..] => self.scalar(nearest, grid)?,
                    [] => vec![1.0; grid.steps],
                };
                // The inverse is more exact: 0.1 has no exact form, 10 has.
                self.mapped(rows, |step, value| {
                    let inverse = 1.0 / nearest[step];
                    (value * inverse + 0.5).floor() / inverse
                })
            }
            (name, args) => {
                if let Some(of_date) = date_function(name) {
                    let rows = match args {
                        [vector, ..] => self.vector(vector, grid)?,
                        [] => {
                            let time = |step| of_date(Date::new(grid.time(step) / 1000));
                            let values = (0..grid.steps).map(time).collect();
                            let row = Row::new(Labels::empty(), false);
                            return Ok(vec![Row { values, ..row }]);
                        }
                    };
                    return self.mapped(rows, |_, value| {
                        #[expect(clippy::cast_possible_truncation, reason = "saturates")]
                        let seconds = (value as i64).clamp(-MAX_SECONDS, MAX_SECONDS);
                        of_date(Date::new(seconds))
                    });
                }
                let (Some(function), [vector]) = (float_function(name), args) else {
                    return Err(EvalError::invalid(format!("unknown function {name}")));
                };
                let rows = self.vector(vector, grid)?;
                self.mapped(rows, |_, value| function(value))
            }
        }
    }

    fn clamped(
        &mut self,
        call: &Call,
        vector: &'a Expr,
        limits: &'a [Expr],
        grid: Grid,
    ) -> Result<Vec<Row>, EvalError> {
        let mut rows = self.vector(vector, grid)?;
        let mut values = Vec::new();
        for limit in limits {
            values.push(self.scalar(limit, grid)?);
        }
        let limit = |index: usize, step: usize, otherwise: f64| {
            let values: Option<&Vec<f64>> = values.get(index);
            values
                .and_then(|v| v.get(step))
                .copied()
                .unwrap_or(otherwise)
        };
        let limits = |step| match call.function.name {
            "clamp_min" => (limit(0, step, f64::NEG_INFINITY), f64::INFINITY),
            "clamp_max" => (f64::NEG_INFINITY, limit(0, step, f64::INFINITY)),
            _ => (
                limit(0, step, f64::NEG_INFINITY),
                limit(1, step, f64::INFINITY),
            ),
        };
        for row in &mut rows {
            row.update(|step, value| {
                let (min, max) = limits(step);
                if max < min {
                    return super::row::ABSENT;
                }
                go_max(min, go_min(max, value))
            });
            row.trim();
            self.renamed(row);
        }
        rows.retain(|row| !row.is_empty());
        merge_same_labels(rows)
    }

    fn sorted(
        &mut self,
        call: &'a Call,
        vector: &'a Expr,
        grid: Grid,
    ) -> Result<Vec<Row>, EvalError> {
        let mut rows = self.vector(vector, grid)?;
        if grid.steps > 1 {
            self.notes.add(Note::SortInRange, call.at);
            return Ok(rows);
        }
        let name = call.function.name;
        if name.starts_with("sort_by_label") {
            let labels: Vec<&str> = call.args.iter().skip(1).map(text).collect();
            rows.sort_by(|a, b| {
                let by = labels.iter().map(|label| {
                    super::natural::compare(a.labels.value(label), b.labels.value(label))
                });
                by.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
                    .then_with(|| a.labels.cmp(&b.labels))
            });
            if name == "sort_by_label_desc" {
                rows.reverse();
            }
            return Ok(rows);
        }
        let descending = name == "sort_desc";
        rows.retain(|row| is_present(row.at(0)));
        rows.sort_by(|a, b| {
            let (a, b) = (a.at(0), b.at(0));
            let order = a.partial_cmp(&b).unwrap_or(std::cmp::Ordering::Equal);
            let order = if descending { order.reverse() } else { order };
            a.is_nan().cmp(&b.is_nan()).then(order)
        });
        Ok(rows)
    }
}

/// Beyond a million years from now no calendar means anything.
const MAX_SECONDS: i64 = 1 << 45;

#[expect(clippy::cast_precision_loss, reason = "times are floats in PromQL")]
fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}

/// As Go's: what is not a number wins.
fn go_max(one: f64, other: f64) -> f64 {
    if one.is_infinite() && one > 0.0 || other.is_infinite() && other > 0.0 {
        f64::INFINITY
    } else if one.is_nan() || other.is_nan() {
        f64::NAN
    } else {
        one.max(other)
    }
}

fn go_min(one: f64, other: f64) -> f64 {
    -go_max(-one, -other)
}

fn date_function(name: &str) -> Option<fn(Date) -> f64> {
    #[expect(clippy::cast_precision_loss, reason = "years and days are small")]
    Some(match name {
        "day_of_month" => |date| date.day as f64,
        "day_of_week" => |date| date.weekday() as f64,
        "day_of_year" => |date| date.day_of_year() as f64,
        "days_in_month" => |date| date.days_in_month() as f64,
        "hour" => |date| date.hour() as f64,
        "minute" => |date| date.minute() as f64,
        "month" => |date| date.month as f64,
        "year" => |date| date.year as f64,
        _ => return None,
    })
}

fn float_function(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "abs" => f64::abs,
        "acos" => f64::acos,
        "acosh" => f64::acosh,
        "asin" => f64::asin,
        "asinh" => f64::asinh,
        "atan" => f64::atan,
        "atanh" => f64::atanh,
        "ceil" => f64::ceil,
        "cos" => f64::cos,
        "cosh" => f64::cosh,
        "deg" => |value| value * 180.0 / std::f64::consts::PI,
        "exp" => f64::exp,
        "floor" => f64::floor,
        "ln" => f64::ln,
        "log10" => f64::log10,
        "log2" => f64::log2,
        "rad" => |value| value * std::f64::consts::PI / 180.0,
        "sgn" => |value| {
            if value < 0.0 {
                -1.0
            } else if value > 0.0 {
                1.0
            } else {
                value
            }
        },
        "sin" => f64::sin,
        "sinh" => f64::sinh,
        "sqrt" => f64::sqrt,
        "tan" => f64::tan,
        "tanh" => f64::tanh,
        _ => return None,
    })
}
