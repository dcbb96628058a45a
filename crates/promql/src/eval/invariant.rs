//! What has the same value at every step: whatever depends on no other time than those that `@` fixes.

use crate::ast::{Expr, Shift};

/// Functions of the evaluation's time.
const OF_TIME: [&str; 10] = [
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "hour",
    "minute",
    "month",
    "predict_linear",
    "time",
    "year",
];

/// Whether it is worth evaluating once: not a number, which is no work.
pub(super) fn is_invariant(expr: &Expr) -> bool {
    !matches!(expr, Expr::Number(_)) && is_constant(expr)
}

fn is_constant(expr: &Expr) -> bool {
    let fixed = |shift: &Shift| shift.moment.is_some();
    match expr {
        Expr::Number(_) | Expr::String(_) => true,
        Expr::Selector(selector) => fixed(&selector.shift),
        Expr::Range(range) => fixed(&range.selector.shift),
        Expr::Subquery(subquery) => fixed(&subquery.shift),
        Expr::Call(call) if call.function.name == "timestamp" => {
            // Of anything but a selector it is the time of the evaluation.
            matches!(call.args.first().map(Expr::unwrapped), Some(Expr::Selector(s)) if fixed(&s.shift))
        }
        Expr::Call(call) => {
            !OF_TIME.contains(&call.function.name) && call.args.iter().all(is_constant)
        }
        Expr::Aggregate(aggregate) => {
            is_constant(&aggregate.expr)
                && aggregate.parameter.as_ref().is_none_or(|p| is_constant(p))
        }
        Expr::Binary(binary) => is_constant(&binary.lhs) && is_constant(&binary.rhs),
        Expr::Unary(unary) => is_constant(&unary.expr),
        Expr::Paren(paren) => is_constant(&paren.expr),
    }
}
