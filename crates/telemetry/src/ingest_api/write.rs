//! Prometheus remote write 1.0.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use hashbrown::HashMap;
use wharf_protocols::remote_write::{Limits, SeriesView, WriteError, WriteItem, unpack, visit};
use wharf_signal::{AppendError, Appender, Labels, SampleSink as _, SeriesRef};
use xxhash_rust::xxh3::xxh3_128;

use super::Intake;

/// Series whose place is remembered, at 32 bytes each. Past it all are forgotten and learnt again.
const KNOWN_MAX: usize = 2_000_000;

/// Where the store has the series that were written, by a hash of the bytes that carry their labels. At 128 bits two series
/// do not meet.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<HashMap<u128, SeriesRef>>);

/// `POST /api/v1/write`
pub(super) async fn remote_write(
    State(intake): State<Arc<Intake>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let kind = headers
        .get("content-type")
        .and_then(|kind| kind.to_str().ok());
    if kind.is_some_and(|kind| kind.contains("io.prometheus.write.v2")) {
        let message = "only remote write 1.0 is taken: prometheus.WriteRequest";
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, message).into_response();
    }
    let done = tokio::task::spawn_blocking(move || take(&intake, &body)).await;
    match done {
        Ok(Ok(())) => StatusCode::NO_CONTENT.into_response(),
        Ok(Err((status, message))) => (status, message).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

type Refused = (StatusCode, String);

/// Takes a request. What cannot be taken is told with 400, so that the sender does not send it again; the rest is stored.
fn take(intake: &Intake, body: &[u8]) -> Result<(), Refused> {
    let limits = Limits::default();
    let bad = |error: &dyn std::fmt::Display| (StatusCode::BAD_REQUEST, error.to_string());
    let request = unpack(body, limits).map_err(|error| bad(&error))?;
    let mut writing = Writing {
        appender: intake.stores.db.appender(),
        known: intake
            .written
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner),
        limits,
        refused: 0,
        first: None,
    };
    visit(&request, &mut |item| {
        if let WriteItem::Series(series) = item {
            writing.series(&series);
        }
        ControlFlow::Continue(())
    })
    .map_err(|error| bad(&error))?;
    let Writing {
        appender,
        known,
        refused,
        first,
        ..
    } = writing;
    drop(known);
    appender
        .commit()
        .map_err(|error| (StatusCode::SERVICE_UNAVAILABLE, error.to_string()))?;
    match first {
        None => Ok(()),
        Some(why) => Err((
            StatusCode::BAD_REQUEST,
            format!("{refused} samples were not taken, the first because: {why}"),
        )),
    }
}

struct Writing<'a> {
    appender: Box<dyn Appender + 'a>,
    known: std::sync::MutexGuard<'a, HashMap<u128, SeriesRef>>,
    limits: Limits,
    refused: usize,
    first: Option<String>,
}

impl Writing<'_> {
    fn series(&mut self, series: &SeriesView<'_>) {
        let key = series.key().map(xxh3_128);
        let mut place = key.and_then(|key| self.known.get(&key).copied());
        let mut labels: Option<Labels> = None;
        if series.histograms() > 0 {
            let labels = series.labels(self.limits).unwrap_or_default();
            self.refuse(&WriteError::Histogram(labels), series.histograms());
        }
        for sample in series.samples() {
            let sample = match sample {
                Ok(sample) => sample,
                Err(error) => return self.refuse(&error, 1),
            };
            if place.is_none() && labels.is_none() {
                match series.labels(self.limits) {
                    Ok(found) => labels = Some(found),
                    Err(error) => return self.refuse(&error, 1),
                }
            }
            let known = labels.clone().unwrap_or_default();
            let mut appended = self.appender.append(place, &known, sample.t, sample.v);
            if matches!(appended, Err(AppendError::Labels(_))) && labels.is_none() {
                // The store has forgotten the series since.
                match series.labels(self.limits) {
                    Ok(found) => {
                        appended = self.appender.append(None, &found, sample.t, sample.v);
                        labels = Some(found);
                    }
                    Err(error) => return self.refuse(&error, 1),
                }
            }
            match appended {
                Ok(there) => {
                    if place != Some(there) {
                        place = Some(there);
                        self.remember(key, there);
                    }
                }
                // Sent again, as a sender does that did not hear the first answer.
                Err(AppendError::Duplicate) => {}
                Err(error) => self.refuse(&error, 1),
            }
        }
    }

    fn remember(&mut self, key: Option<u128>, place: SeriesRef) {
        let Some(key) = key else { return };
        if self.known.len() >= KNOWN_MAX {
            self.known.clear();
        }
        self.known.insert(key, place);
    }

    fn refuse(&mut self, why: &dyn std::fmt::Display, samples: usize) {
        self.refused += samples;
        self.first.get_or_insert_with(|| why.to_string());
    }
}
