//! `query`, `query_range` and `format_query`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use wharf_promql::{EvalError, Evaluated, Options, ParseError, ParseOptions};
use wharf_signal::{Interrupted, SampleSource};

use super::Api;
use super::answer::{Answer, ErrorKind, Refusal};
use super::values::data;
use crate::params::Params;

/// Points of one series that a range query may ask for: a screen has fewer pixels.
const POINTS_MAX: i64 = 11_000;

/// `/api/v1/query`
pub(crate) async fn query(State(api): State<Arc<Api>>, params: Params) -> Result<Answer, Refusal> {
    let at = params.time("time")?.unwrap_or_else(|| api.now());
    let asked = Asked::of(&api, &params)?;
    let found = evaluate(&api, asked, move |source, expr, options| {
        wharf_promql::instant(source, expr, at, options)
    });
    limited(found.await?, &params)
}

/// `/api/v1/query_range`
pub(crate) async fn query_range(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<Answer, Refusal> {
    let time = |name| {
        let given = params.time(name)?;
        given.ok_or_else(|| Refusal::bad(format!("invalid parameter {name:?}: it is missing")))
    };
    let (start, end) = (time("start")?, time("end")?);
    if end < start {
        return Err(Refusal::bad(
            "invalid parameter \"end\": end timestamp must not be before start time",
        ));
    }
    let step = params.duration("step")?;
    let step = step.ok_or_else(|| Refusal::bad("invalid parameter \"step\": it is missing"))?;
    let step = i64::try_from(step.as_millis()).unwrap_or(i64::MAX);
    if step == 0 {
        return Err(Refusal::bad(
            "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer",
        ));
    }
    if end.saturating_sub(start) / step > POINTS_MAX {
        return Err(Refusal::bad(
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
        ));
    }
    let asked = Asked::of(&api, &params)?;
    let found = evaluate(&api, asked, move |source, expr, options| {
        wharf_promql::range(source, expr, start, end, step, options)
    });
    limited(found.await?, &params)
}

/// `/api/v1/format_query`
pub(crate) async fn format_query(params: Params) -> Result<Answer, Refusal> {
    let expr = parse(params.required("query")?, true)?;
    Answer::of(&wharf_promql::pretty(&expr))
}

/// What is asked, read.
struct Asked {
    expr: wharf_promql::Expr,
    timeout: Option<Duration>,
    lookback: Duration,
}

impl Asked {
    fn of(api: &Api, params: &Params) -> Result<Self, Refusal> {
        Ok(Self {
            expr: parse(params.required("query")?, api.experimental)?,
            timeout: params.duration("timeout")?,
            lookback: params.duration("lookback_delta")?.unwrap_or(api.lookback),
        })
    }
}

fn parse(text: &str, experimental_functions: bool) -> Result<wharf_promql::Expr, Refusal> {
    let options = ParseOptions {
        experimental_functions,
    };
    wharf_promql::parse_with(text, options)
        .map_err(|error: ParseError| Refusal::bad(format!("invalid parameter \"query\": {error}")))
}

async fn evaluate(
    api: &Arc<Api>,
    asked: Asked,
    query: impl FnOnce(
        &dyn SampleSource,
        &wharf_promql::Expr,
        &Options<'_>,
    ) -> Result<Evaluated, EvalError>
    + Send
    + 'static,
) -> Result<Evaluated, Refusal> {
    let db = api.db.clone();
    let (max_samples, experimental) = (api.max_samples, api.experimental);
    let ran = api.gate.run(asked.timeout, move |interrupt| {
        let options = Options {
            lookback: asked.lookback,
            max_samples,
            delayed_name_removal: experimental,
            interrupt,
            ..Options::default()
        };
        query(&db, &asked.expr, &options)
    });
    match ran.await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => Err(refused(&error)),
        Err(error) => Err(Refusal::new(ErrorKind::Timeout, error.to_string())),
    }
}

fn refused(error: &EvalError) -> Refusal {
    let kind = match error {
        EvalError::Interrupted(Interrupted::Timeout) => ErrorKind::Timeout,
        EvalError::Interrupted(Interrupted::Canceled) => ErrorKind::Canceled,
        EvalError::Source(_) => ErrorKind::Internal,
        _ => ErrorKind::Execution,
    };
    Refusal::new(kind, error.to_string())
}

/// The answer, cut to as many series as were asked for.
fn limited(mut found: Evaluated, params: &Params) -> Result<Answer, Refusal> {
    if let Some(limit) = params.count("limit")?.filter(|limit| *limit > 0) {
        let cut = match &mut found.value {
            wharf_promql::Value::Vector(samples) => cut(samples, limit),
            wharf_promql::Value::Matrix(series) => cut(series, limit),
            wharf_promql::Value::Scalar(_) | wharf_promql::Value::String { .. } => false,
        };
        if cut {
            found
                .warnings
                .push("results truncated due to limit".to_owned());
        }
    }
    Ok(Answer {
        data: data(&found.value),
        warnings: found.warnings,
        infos: found.infos,
    })
}

fn cut<T>(items: &mut Vec<T>, limit: usize) -> bool {
    let long = items.len() > limit;
    items.truncate(limit);
    long
}
