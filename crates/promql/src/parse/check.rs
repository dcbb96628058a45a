//! Whether the types of a tree fit together, and what only their types say of binary operations.

use wharf_signal::NAME;

use crate::ast::{Aggregate, Binary, Call, Cardinality, Expr, Position, Selector, ValueType};
use crate::error::ParseError;
use crate::functions::Variadic;
use crate::text::quote;

fn fail<T>(at: Position, message: impl Into<String>) -> Result<T, ParseError> {
    let message = message.into();
    Err(ParseError { at, message })
}

/// Checks a tree. Set operators become many-to-many, and operations with scalars lose their matching.
pub(super) fn check(expr: &mut Expr) -> Result<(), ParseError> {
    match expr {
        Expr::Number(_) | Expr::String(_) => Ok(()),
        Expr::Selector(selector) => check_selector(selector),
        Expr::Range(range) => check_selector(&range.selector),
        Expr::Paren(paren) => check(&mut paren.expr),
        Expr::Aggregate(aggregate) => check_aggregate(aggregate),
        Expr::Call(call) => check_call(call),
        Expr::Binary(binary) => check_binary(binary),
        Expr::Unary(unary) => {
            check(&mut unary.expr)?;
            match unary.expr.value_type() {
                ValueType::Scalar | ValueType::Vector => Ok(()),
                other => {
                    let only = "unary expression only allowed on expressions of type scalar or instant vector";
                    let got = quote(other.as_str());
                    fail(unary.at, format!("{only}, got {got}"))
                }
            }
        }
        Expr::Subquery(subquery) => {
            check(&mut subquery.expr)?;
            let got = subquery.expr.value_type();
            if got == ValueType::Vector {
                return Ok(());
            }
            let only = "subquery is only allowed on instant vector";
            let got = got.api_name();
            fail(
                subquery.expr.position(),
                format!("{only}, got {got} instead"),
            )
        }
    }
}

fn expect(expr: &mut Expr, wanted: ValueType, context: &str) -> Result<(), ParseError> {
    check(expr)?;
    let got = expr.value_type();
    if got == wanted {
        return Ok(());
    }
    let (wanted, got) = (wanted.as_str(), got.as_str());
    fail(
        expr.position(),
        format!("expected type {wanted} in {context}, got {got}"),
    )
}

fn check_selector(selector: &Selector) -> Result<(), ParseError> {
    if let Some(name) = &selector.name {
        let before = selector.matchers.split_last().map_or(&[][..], |(_, m)| m);
        if let Some(other) = before.iter().find(|m| m.name == NAME) {
            let (one, two) = (quote(name), quote(&other.value));
            let message = format!("metric name must not be set twice: {one} or {two}");
            return fail(selector.at, message);
        }
        return Ok(());
    }
    if selector.matchers.iter().all(|m| m.matches_empty()) {
        let message = "vector selector must contain at least one non-empty matcher";
        return fail(selector.at, message);
    }
    Ok(())
}

fn check_aggregate(aggregate: &mut Aggregate) -> Result<(), ParseError> {
    expect(
        &mut aggregate.expr,
        ValueType::Vector,
        "aggregation expression",
    )?;
    if let (Some(parameter), Some(wanted)) = (&mut aggregate.parameter, aggregate.op.parameter()) {
        expect(parameter, wanted, "aggregation parameter")?;
    }
    Ok(())
}

fn check_call(call: &mut Call) -> Result<(), ParseError> {
    let function = call.function;
    let (listed, given) = (function.args.len(), call.args.len());
    let least = listed.saturating_sub(usize::from(function.variadic != Variadic::No));
    let wrong = |how: &str, count: usize| {
        let name = quote(function.name);
        let message = format!("expected {how}{count} argument(s) in call to {name}, got {given}");
        fail(call.at, message)
    };
    match function.variadic {
        Variadic::No if given != listed => return wrong("", listed),
        Variadic::UpTo(more) if given > least + more => return wrong("at most ", least + more),
        _ if given < least => return wrong("at least ", least),
        _ => {}
    }
    let context = format!("call to function {}", quote(function.name));
    for (index, arg) in call.args.iter_mut().enumerate() {
        let wanted = function.args.get(index).or(function.args.last());
        if let Some(wanted) = wanted {
            expect(arg, *wanted, &context)?;
        }
    }
    Ok(())
}

fn check_binary(binary: &mut Binary) -> Result<(), ParseError> {
    check(&mut binary.lhs)?;
    check(&mut binary.rhs)?;
    let (left, right) = (binary.lhs.value_type(), binary.rhs.value_type());
    let (op, op_at, at) = (binary.op, binary.op_at, binary.lhs.position());
    if binary.return_bool && !op.is_comparison() {
        let only = "bool modifier can only be used on comparison operators";
        return fail(op_at, only);
    }
    let scalars = left == ValueType::Scalar && right == ValueType::Scalar;
    if op.is_comparison() && !binary.return_bool && scalars {
        return fail(op_at, "comparisons between scalars must use BOOL modifier");
    }
    let matching = binary.matching.get_or_insert_with(|| crate::ast::Matching {
        cardinality: Cardinality::OneToOne,
        labels: Vec::new(),
        on: false,
        include: Vec::new(),
    });
    if op.is_set() && matching.cardinality == Cardinality::OneToOne {
        matching.cardinality = Cardinality::ManyToMany;
    }
    if matching.on
        && let Some(label) = matching
            .labels
            .iter()
            .find(|l| matching.include.contains(l))
    {
        let label = quote(label);
        let message = format!("label {label} must not occur in ON and GROUP clause at once");
        return fail(op_at, message);
    }
    for (side, side_type) in [(&binary.lhs, left), (&binary.rhs, right)] {
        if !matches!(side_type, ValueType::Scalar | ValueType::Vector) {
            let only = "binary expression must contain only scalar and instant vector types";
            return fail(side.position(), only);
        }
    }
    let vectors = left == ValueType::Vector && right == ValueType::Vector;
    if !vectors && !matching.labels.is_empty() {
        return fail(at, "vector matching only allowed between instant vectors");
    }
    let op_name = quote(op.as_str());
    if vectors && op.is_set() && matching.cardinality != Cardinality::ManyToMany {
        return fail(at, format!("no grouping allowed for {op_name} operation"));
    }
    if !vectors {
        binary.matching = None;
        if op.is_set() {
            let message = format!("set operator {op_name} not allowed in binary scalar expression");
            return fail(at, message);
        }
        if scalars
            && matches!(
                op,
                crate::ast::BinaryOp::TrimLower | crate::ast::BinaryOp::TrimUpper
            )
        {
            let message = format!("operator {op_name} not allowed for Scalar operations");
            return fail(at, message);
        }
    }
    Ok(())
}
