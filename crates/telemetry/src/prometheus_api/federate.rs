//! `/federate`: the newest sample of each series that matches, as an exposition that another Prometheus scrapes.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use wharf_protocols::exposition::{Family, FamilySample, Format, write_text};
use wharf_signal::{Interrupt, Labels, NAME, SampleSource as _, Select, SourceError, is_stale};

use super::Api;
use super::answer::{ErrorKind, Refusal};
use crate::params::Params;

/// Series of one answer.
const SERIES_MAX: usize = 500_000;

pub(crate) async fn federate(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<impl IntoResponse, Refusal> {
    let selectors = params.all("match[]").map(|text| {
        wharf_promql::parse_selector(text)
            .map_err(|error| Refusal::bad(format!("invalid parameter \"match[]\": {error}")))
    });
    let selectors: Vec<_> = selectors.collect::<Result<_, _>>()?;
    let end = api.now();
    let lookback = i64::try_from(api.lookback.as_millis()).unwrap_or(i64::MAX);
    let held = Arc::clone(&api);
    let found = api.gate.run(None, move |interrupt| {
        let mut newest: BTreeMap<Labels, (i64, f64)> = BTreeMap::new();
        for matchers in &selectors {
            let select = Select {
                matchers,
                start: end - lookback,
                end,
            };
            gather(&held, select, interrupt, &mut newest)?;
        }
        Ok::<_, SourceError>(newest)
    });
    let found = match found.await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return Err(Refusal::new(ErrorKind::Execution, error.to_string())),
        Err(error) => return Err(Refusal::new(ErrorKind::Timeout, error.to_string())),
    };
    if found.len() >= SERIES_MAX {
        let message = format!("more than {SERIES_MAX} series match: ask for fewer with match[]");
        return Err(Refusal::new(ErrorKind::Execution, message));
    }
    let known = api.scraper.metadata();
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    for (labels, (t, value)) in found {
        let name = labels.name().to_owned();
        let metadata = known.get(&name).and_then(|told| told.first());
        let family = families.entry(name).or_insert_with_key(|name| Family {
            name: name.clone(),
            metadata: metadata.map(|(_, said)| said.clone()).unwrap_or_default(),
            samples: vec![],
        });
        family.samples.push(FamilySample {
            labels: labels.clone(),
            value,
            t: Some(t),
            exemplar: None,
        });
    }
    let body = write_text(families.values());
    Ok(([(CONTENT_TYPE, Format::Text.content_type())], body))
}

fn gather(
    api: &Api,
    select: Select<'_>,
    interrupt: &dyn Interrupt,
    newest: &mut BTreeMap<Labels, (i64, f64)>,
) -> Result<(), SourceError> {
    for series in api.db.select(select, interrupt)? {
        let series = series?;
        let last = series.samples.last().filter(|sample| !is_stale(sample.v));
        if let Some(last) = last
            && series.labels.get(NAME).is_some()
        {
            newest.insert(series.labels, (last.t, last.v));
        }
        if newest.len() >= SERIES_MAX {
            break;
        }
    }
    Ok(())
}
