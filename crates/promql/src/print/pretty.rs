//! An expression on as many lines as it takes for none to be longer than 100 bytes, where that can be.

use super::{aggregate_head, operator, suffix};
use crate::ast::Expr;

/// What fits on one line, as in Prometheus.
const WIDTH: usize = 100;

/// Writes an expression on several lines where it is long.
#[must_use]
pub fn pretty(expr: &Expr) -> String {
    node(expr, 0)
}

fn node(expr: &Expr, level: usize) -> String {
    let indent = "  ".repeat(level);
    let line = expr.to_string();
    let is_short = line.len() <= WIDTH;
    match expr {
        // Its inner expression brings the indent along.
        Expr::Subquery(_) if is_short => line,
        Expr::Subquery(subquery) => node(&subquery.expr, level) + &suffix(subquery),
        Expr::Unary(unary) => {
            let sign = if unary.negate { '-' } else { '+' };
            format!("{indent}{sign}{}", node(&unary.expr, level).trim())
        }
        _ if is_short => indent + &line,
        Expr::Aggregate(aggregate) => {
            let parameter = aggregate
                .parameter
                .iter()
                .map(|p| node(p, level + 1) + ",\n")
                .collect::<String>();
            let head = aggregate_head(aggregate);
            let inner = node(&aggregate.expr, level + 1);
            format!("{indent}{head}(\n{parameter}{inner}\n{indent})")
        }
        Expr::Binary(binary) => {
            let operator = operator(binary);
            let lhs = node(&binary.lhs, level + 1);
            let rhs = node(&binary.rhs, level + 1);
            format!("{lhs}\n{indent}{operator}\n{rhs}")
        }
        Expr::Call(call) => {
            let args: Vec<String> = call.args.iter().map(|a| node(a, level + 1)).collect();
            let args = args.join(",\n");
            format!("{indent}{}(\n{args}\n{indent})", call.function.name)
        }
        Expr::Paren(paren) => {
            let inner = node(&paren.expr, level + 1);
            format!("{indent}(\n{inner}\n{indent})")
        }
        Expr::Number(_) | Expr::String(_) | Expr::Selector(_) | Expr::Range(_) => indent + &line,
    }
}
