//! The functions there are: names, kinds of arguments and of results.

use crate::ast::ValueType;
use ValueType::{Matrix, Scalar, String as Text, Vector};

/// One function.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// What it takes; where more are allowed, they are like the last.
    pub args: &'static [ValueType],
    /// How many may be given beyond what has to be: of the last kind of argument.
    pub variadic: Variadic,
    /// What it gives.
    pub returns: ValueType,
    /// Whether Prometheus has it only behind a flag.
    pub experimental: bool,
}

/// How many arguments a function takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variadic {
    /// As many as are listed.
    No,
    /// One less than are listed, and up to so many more.
    UpTo(usize),
    /// One less than are listed, or any number more.
    Any,
}

const fn plain(name: &'static str, args: &'static [ValueType], returns: ValueType) -> Function {
    Function {
        name,
        args,
        variadic: Variadic::No,
        returns,
        experimental: false,
    }
}

const fn experimental(
    name: &'static str,
    args: &'static [ValueType],
    returns: ValueType,
) -> Function {
    Function {
        name,
        args,
        variadic: Variadic::No,
        returns,
        experimental: true,
    }
}

/// Of an instant vector.
const fn of_vector(name: &'static str) -> Function {
    plain(name, &[Vector], Vector)
}

/// Of a range vector.
const fn of_matrix(name: &'static str) -> Function {
    plain(name, &[Matrix], Vector)
}

/// Of an instant vector, or of the evaluation's time.
const fn of_date(name: &'static str) -> Function {
    Function {
        variadic: Variadic::UpTo(1),
        ..plain(name, &[Vector], Vector)
    }
}

/// Ordered by name.
static FUNCTIONS: &[Function] = &[
    of_vector("abs"),
    of_vector("absent"),
    of_matrix("absent_over_time"),
    of_vector("acos"),
    of_vector("acosh"),
    of_vector("asin"),
    of_vector("asinh"),
    of_vector("atan"),
    of_vector("atanh"),
    of_matrix("avg_over_time"),
    of_vector("ceil"),
    of_matrix("changes"),
    plain("clamp", &[Vector, Scalar, Scalar], Vector),
    plain("clamp_max", &[Vector, Scalar], Vector),
    plain("clamp_min", &[Vector, Scalar], Vector),
    of_vector("cos"),
    of_vector("cosh"),
    of_matrix("count_over_time"),
    of_date("day_of_month"),
    of_date("day_of_week"),
    of_date("day_of_year"),
    of_date("days_in_month"),
    of_vector("deg"),
    of_matrix("delta"),
    of_matrix("deriv"),
    experimental(
        "double_exponential_smoothing",
        &[Matrix, Scalar, Scalar],
        Vector,
    ),
    experimental("end", &[], Scalar),
    of_vector("exp"),
    of_matrix("first_over_time"),
    of_vector("floor"),
    of_vector("histogram_avg"),
    of_vector("histogram_count"),
    plain("histogram_fraction", &[Scalar, Scalar, Vector], Vector),
    plain("histogram_quantile", &[Scalar, Vector], Vector),
    of_vector("histogram_stddev"),
    of_vector("histogram_stdvar"),
    of_vector("histogram_sum"),
    of_date("hour"),
    of_matrix("idelta"),
    of_matrix("increase"),
    of_matrix("irate"),
    Function {
        variadic: Variadic::Any,
        ..plain("label_join", &[Vector, Text, Text, Text], Vector)
    },
    plain("label_replace", &[Vector, Text, Text, Text, Text], Vector),
    of_matrix("last_over_time"),
    of_vector("ln"),
    of_vector("log10"),
    of_vector("log2"),
    experimental("mad_over_time", &[Matrix], Vector),
    experimental("max_of", &[Scalar, Scalar], Scalar),
    of_matrix("max_over_time"),
    experimental("min_of", &[Scalar, Scalar], Scalar),
    of_matrix("min_over_time"),
    of_date("minute"),
    of_date("month"),
    plain("pi", &[], Scalar),
    plain("predict_linear", &[Matrix, Scalar], Vector),
    of_matrix("present_over_time"),
    plain("quantile_over_time", &[Scalar, Matrix], Vector),
    of_vector("rad"),
    experimental("range", &[], Scalar),
    of_matrix("rate"),
    of_matrix("resets"),
    Function {
        variadic: Variadic::UpTo(1),
        ..plain("round", &[Vector, Scalar], Vector)
    },
    plain("scalar", &[Vector], Scalar),
    of_vector("sgn"),
    of_vector("sin"),
    of_vector("sinh"),
    of_vector("sort"),
    Function {
        variadic: Variadic::Any,
        ..experimental("sort_by_label", &[Vector, Text], Vector)
    },
    Function {
        variadic: Variadic::Any,
        ..experimental("sort_by_label_desc", &[Vector, Text], Vector)
    },
    of_vector("sort_desc"),
    of_vector("sqrt"),
    experimental("start", &[], Scalar),
    of_matrix("stddev_over_time"),
    of_matrix("stdvar_over_time"),
    experimental("step", &[], Scalar),
    of_matrix("sum_over_time"),
    of_vector("tan"),
    of_vector("tanh"),
    plain("time", &[], Scalar),
    of_vector("timestamp"),
    experimental("ts_of_first_over_time", &[Matrix], Vector),
    experimental("ts_of_last_over_time", &[Matrix], Vector),
    experimental("ts_of_max_over_time", &[Matrix], Vector),
    experimental("ts_of_min_over_time", &[Matrix], Vector),
    plain("vector", &[Scalar], Vector),
    of_date("year"),
];

/// Experimental functions of Prometheus that are not there: named, so that they are refused as such.
static ABSENT: &[&str] = &["histogram_quantiles", "info", "start_timestamp"];

impl Function {
    /// The function of a name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        let index = FUNCTIONS.binary_search_by(|f| f.name.cmp(name)).ok()?;
        FUNCTIONS.get(index)
    }

    /// All functions, ordered by name.
    #[must_use]
    pub fn all() -> &'static [Self] {
        FUNCTIONS
    }

    /// Whether Prometheus has an experimental function of this name that is not there at all.
    pub(crate) fn is_absent_experiment(name: &str) -> bool {
        ABSENT.contains(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_ordered() {
        assert!(FUNCTIONS.is_sorted_by(|a, b| a.name < b.name));
    }

    #[test]
    fn they_are_found() {
        for function in Function::all() {
            assert_eq!(Function::find(function.name), Some(function));
        }
        assert_eq!(Function::find("rates"), None);
    }
}
