//! What the grammar allows and Loki does not.

use super::ParseError;
use crate::ast::{Expr, LogExpr, MetricExpr, RangeAggregation, RangeOp, VectorOp, selects_all};
use crate::pipeline::Pipeline;

const SELECTS_ALL: &str = "queries require at least one regexp or equality matcher that does not have an \
empty-compatible value. For instance, app=~\".*\" does not meet this requirement, but app=~\".+\" will";

pub(super) fn check(expr: &Expr) -> Result<(), ParseError> {
    match expr {
        Expr::Log(log) => check_log(log),
        Expr::Metric(metric) => check_metric(metric),
    }
}

fn check_log(log: &LogExpr) -> Result<(), ParseError> {
    if selects_all(&log.matchers) {
        return Err(ParseError::whole(SELECTS_ALL));
    }
    Pipeline::check(&log.stages)
}

fn check_metric(metric: &MetricExpr) -> Result<(), ParseError> {
    match metric {
        MetricExpr::Literal(_) | MetricExpr::VectorLiteral(_) => Ok(()),
        MetricExpr::Binary(binary) => {
            check_metric(&binary.left)?;
            check_metric(&binary.right)
        }
        MetricExpr::Vector(vector) => {
            let sorts = matches!(vector.op, VectorOp::Sort | VectorOp::SortDesc);
            if sorts && !vector.grouping.labels.is_empty() {
                let message = "sort and sort_desc doesn't allow grouping by ";
                return Err(ParseError::whole(message));
            }
            check_metric(&vector.of)
        }
        MetricExpr::LabelReplace(replace) => {
            let regex = format!("^(?:{})$", replace.regex);
            if let Err(error) = wharf_signal::compile_regexp(&regex) {
                let message = format!("invalid regex in label_replace: {error}");
                return Err(ParseError::whole(message));
            }
            check_metric(&replace.of)
        }
        MetricExpr::Range(range) => check_range(range),
    }
}

fn check_range(range: &RangeAggregation) -> Result<(), ParseError> {
    use RangeOp::{
        Absent, Avg, Bytes, BytesRate, Count, First, Last, Max, Min, Quantile, Rate, RateCounter,
        Stddev, Stdvar, Sum,
    };
    let name = range.op.as_str();
    let groups = matches!(
        range.op,
        Avg | Stddev | Stdvar | Quantile | Max | Min | First | Last
    );
    if range.grouping.is_some() && !groups {
        let message = format!("grouping not allowed for {name} aggregation");
        return Err(ParseError::whole(message));
    }
    let fits = match range.range.unwrap {
        Some(_) => groups || matches!(range.op, Sum | Rate | RateCounter | Absent),
        None => matches!(range.op, Bytes | BytesRate | Count | Rate | Absent),
    };
    if !fits {
        let with = if range.range.unwrap.is_some() {
            "with"
        } else {
            "without"
        };
        let message = format!("invalid aggregation {name} {with} unwrap");
        return Err(ParseError::whole(message));
    }
    if range.range.range <= 0 {
        return Err(ParseError::whole(
            "the range of an aggregation must be longer than 0",
        ));
    }
    check_log(&range.range.log)
}
