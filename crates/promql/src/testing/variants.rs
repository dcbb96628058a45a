//! The same query with `@` in every selector: it has the same answer at any time.

use crate::ast::{AtTime, Expr, Shift};

/// Functions whose value depends on the time of the evaluation.
const OF_TIME: [&str; 15] = [
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "end",
    "hour",
    "minute",
    "month",
    "predict_linear",
    "range",
    "start",
    "step",
    "time",
    "timestamp",
    "year",
];

/// The query with `@` and a time in milliseconds wherever there is none. None if its value depends on more than that.
pub(super) fn with_moments(expr: &Expr, at: i64) -> Option<String> {
    let mut expr = expr.clone();
    fix(&mut expr, at)?;
    Some(expr.to_string())
}

/// Times at which it has to have the same answer.
pub(super) fn other_times(at: i64) -> Vec<i64> {
    if at == 0 {
        vec![-1000, 1000]
    } else {
        vec![-10 * at, 0, at / 5, at, 10 * at]
    }
}

fn fix(expr: &mut Expr, at: i64) -> Option<()> {
    let fixed = |shift: &mut Shift| {
        shift.moment.get_or_insert(AtTime::Millis(at));
    };
    match expr {
        Expr::Number(_) | Expr::String(_) => {}
        Expr::Selector(selector) => fixed(&mut selector.shift),
        Expr::Range(range) => fixed(&mut range.selector.shift),
        // What is inside is evaluated relative to it.
        Expr::Subquery(subquery) => {
            fixed(&mut subquery.shift);
            if depends_on_time(&subquery.expr) {
                return None;
            }
        }
        Expr::Paren(paren) => fix(&mut paren.expr, at)?,
        Expr::Unary(unary) => fix(&mut unary.expr, at)?,
        Expr::Binary(binary) => {
            fix(&mut binary.lhs, at)?;
            fix(&mut binary.rhs, at)?;
        }
        Expr::Aggregate(aggregate) => {
            fix(&mut aggregate.expr, at)?;
            if let Some(parameter) = &mut aggregate.parameter {
                fix(parameter, at)?;
            }
        }
        Expr::Call(call) => {
            if OF_TIME.contains(&call.function.name) {
                return None;
            }
            for arg in &mut call.args {
                fix(arg, at)?;
            }
        }
    }
    Some(())
}

fn depends_on_time(expr: &Expr) -> bool {
    let here = matches!(expr, Expr::Call(call) if OF_TIME.contains(&call.function.name));
    here || expr.children().into_iter().any(depends_on_time)
}
