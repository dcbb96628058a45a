//! `series`, `labels`, `label/<name>/values`: what is stored, by its labels.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, State};
use wharf_signal::{Interrupt, Matcher, SourceError};

use super::Api;
use super::answer::{Answer, ErrorKind, Refusal};
use super::values::write_labels;
use crate::params::Params;

/// A time range and the selectors, of which a series has to match one; none: every series.
struct Asked {
    selectors: Vec<Vec<Matcher>>,
    start: i64,
    end: i64,
    limit: Option<usize>,
}

impl Asked {
    fn of(params: &Params) -> Result<Self, Refusal> {
        let selectors = params.all("match[]").map(|text| {
            wharf_promql::parse_selector(text)
                .map_err(|error| Refusal::bad(format!("invalid parameter \"match[]\": {error}")))
        });
        let asked = Self {
            selectors: selectors.collect::<Result<_, _>>()?,
            start: params.time("start")?.unwrap_or(i64::MIN),
            end: params.time("end")?.unwrap_or(i64::MAX),
            limit: params.count("limit")?.filter(|limit| *limit > 0),
        };
        if asked.end < asked.start {
            return Err(Refusal::bad(
                "invalid parameter \"end\": end timestamp must not be before start time",
            ));
        }
        Ok(asked)
    }

    /// The selectors; one that matches everything, if there are none.
    fn each(&self) -> Vec<&[Matcher]> {
        if self.selectors.is_empty() {
            vec![&[]]
        } else {
            self.selectors.iter().map(Vec::as_slice).collect()
        }
    }
}

/// `/api/v1/series`
pub(crate) async fn series(State(api): State<Arc<Api>>, params: Params) -> Result<Answer, Refusal> {
    let asked = Asked::of(&params)?;
    if asked.selectors.is_empty() {
        return Err(Refusal::bad("no match[] parameter provided"));
    }
    let limit = asked.limit;
    let found = look_up(&api, asked, |api, asked, interrupt| {
        let mut found = BTreeSet::new();
        for selector in asked.each() {
            found.extend(
                api.db
                    .series(selector, asked.start, asked.end, usize::MAX, interrupt)?,
            );
        }
        Ok(found)
    });
    let (found, warnings) = cut(found.await?, limit);
    let mut data = String::from("[");
    for (index, labels) in found.iter().enumerate() {
        if index > 0 {
            data.push(',');
        }
        write_labels(&mut data, labels);
    }
    data.push(']');
    Ok(Answer {
        data,
        warnings,
        infos: vec![],
    })
}

/// `/api/v1/labels`
pub(crate) async fn names(State(api): State<Arc<Api>>, params: Params) -> Result<Answer, Refusal> {
    let asked = Asked::of(&params)?;
    let limit = asked.limit;
    let found = look_up(&api, asked, |api, asked, interrupt| {
        let mut found = BTreeSet::new();
        for selector in asked.each() {
            found.extend(
                api.db
                    .label_names(selector, asked.start, asked.end, interrupt)?,
            );
        }
        Ok(found)
    });
    answer(found.await?, limit)
}

/// `/api/v1/label/<name>/values`
pub(crate) async fn values(
    State(api): State<Arc<Api>>,
    Path(name): Path<String>,
    params: Params,
) -> Result<Answer, Refusal> {
    let name = label_name(&name)?;
    let asked = Asked::of(&params)?;
    let limit = asked.limit;
    let found = look_up(&api, asked, move |api, asked, interrupt| {
        let mut found = BTreeSet::new();
        for selector in asked.each() {
            let values = api
                .db
                .label_values(&name, selector, asked.start, asked.end, interrupt)?;
            found.extend(values);
        }
        Ok(found)
    });
    answer(found.await?, limit)
}

/// A label's name as it stands in a path: as it is, or escaped (`U__my_2e_name`).
fn label_name(text: &str) -> Result<String, Refusal> {
    let name = match text.strip_prefix("U__") {
        Some(escaped) => unescaped(escaped),
        None => Some(text.to_owned()),
    };
    name.filter(|name| !name.is_empty())
        .ok_or_else(|| Refusal::bad(format!("invalid label name: {text:?}")))
}

/// Undoes Prometheus's escaping of names: `_2e_` is the character with this number, `__` an underscore.
fn unescaped(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('_') {
        out.push_str(before);
        if let Some(behind) = behind.strip_prefix('_') {
            out.push('_');
            rest = behind;
            continue;
        }
        let (digits, behind) = behind.split_once('_')?;
        out.push(char::from_u32(u32::from_str_radix(digits, 16).ok()?)?);
        rest = behind;
    }
    out.push_str(rest);
    Some(out)
}

async fn look_up<T: Send + 'static>(
    api: &Arc<Api>,
    asked: Asked,
    find: impl FnOnce(&Api, &Asked, &dyn Interrupt) -> Result<T, SourceError> + Send + 'static,
) -> Result<T, Refusal> {
    let held = Arc::clone(api);
    let ran = api
        .gate
        .run(None, move |interrupt| find(&held, &asked, interrupt));
    match ran.await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => Err(Refusal::new(ErrorKind::Execution, error.to_string())),
        Err(error) => Err(Refusal::new(ErrorKind::Timeout, error.to_string())),
    }
}

fn answer(found: BTreeSet<String>, limit: Option<usize>) -> Result<Answer, Refusal> {
    let (found, warnings) = cut(found, limit);
    Ok(Answer {
        warnings,
        ..Answer::of(&found)?
    })
}

fn cut<T>(found: BTreeSet<T>, limit: Option<usize>) -> (Vec<T>, Vec<String>) {
    let there = found.len();
    let kept: Vec<T> = found.into_iter().take(limit.unwrap_or(there)).collect();
    let warnings = if kept.len() < there {
        vec!["results truncated due to limit".to_owned()]
    } else {
        vec![]
    };
    (kept, warnings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(label_name(text).ok().as_deref(), expected, "{text}");
    }

    #[test]
    fn names_may_be_escaped() {
        check("job", Some("job"));
        check("__name__", Some("__name__"));
        check("U__my_2e_name", Some("my.name"));
        check("U__a__b", Some("a_b"));
        check("U__a_zz_", None);
        check("U__", None);
    }
}
