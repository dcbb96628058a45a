//! Alertmanager's HTTP API, version 2: alerts, silences, receivers, so that `amtool` and Grafana show and silence them.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use wharf_alerting::manager::{AlertStatus, Handle, Snapshot, Stopped};
use wharf_base::clock::{self, Timestamp};
use wharf_control::alert::{Silence, SilenceError};
use wharf_signal::{MatchOp, Matcher};

use crate::params::Params;
use crate::prometheus_api::{object, rfc3339};

/// What the API asks.
struct Api {
    manager: Handle,
    started: Timestamp,
}

/// Every path of the API.
pub(crate) fn router(manager: &Handle) -> Router {
    let api = Arc::new(Api {
        manager: manager.clone(),
        started: clock::now(),
    });
    Router::new()
        .route("/api/v2/status", get(status))
        .route("/api/v2/alerts", get(alerts))
        .route("/api/v2/alerts/groups", get(groups))
        .route("/api/v2/receivers", get(receivers))
        .route("/api/v2/silences", get(silences).post(set_silence))
        .route("/api/v2/silence/{id}", get(silence).delete(expire))
        .with_state(api)
}

/// What went wrong, as Alertmanager says it: a JSON text.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(self.1)).into_response()
    }
}

impl From<Stopped> for Refusal {
    fn from(stopped: Stopped) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, stopped.to_string())
    }
}

fn bad(message: impl ToString) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, message.to_string())
}

async fn status(State(api): State<Arc<Api>>) -> Json<Value> {
    Json(json!({
        "cluster": { "status": "disabled", "peers": [] },
        "versionInfo": { "version": "0.28.0", "branch": "wharf", "revision": env!("CARGO_PKG_VERSION"), "buildDate": "", "buildUser": "", "goVersion": "" },
        "config": { "original": "" },
        "uptime": moment(api.started),
    }))
}

async fn alerts(State(api): State<Arc<Api>>, params: Params) -> Result<Json<Vec<Value>>, Refusal> {
    let shown = |name: &str| params.get(name) != Some("false");
    let filters = matchers(&params)?;
    let snapshot = api.manager.look().await?;
    let alerts = snapshot.alerts().into_iter().filter(|status| {
        let state = state_of(status);
        let wanted = match state {
            "suppressed" if !status.silenced_by.is_empty() => shown("silenced"),
            "suppressed" => shown("inhibited"),
            _ => shown("active"),
        };
        wanted
            && filters
                .iter()
                .all(|m| m.matches_labels(&status.alert.labels))
    });
    Ok(Json(alerts.map(|status| alert(&status)).collect()))
}

/// The matchers of `filter`, each `name="value"`.
fn matchers(params: &Params) -> Result<Vec<Matcher>, Refusal> {
    let mut all = vec![];
    for text in params.all("filter") {
        let text = text.trim().trim_start_matches('{').trim_end_matches('}');
        all.extend(wharf_promql::parse_selector(&format!("{{{text}}}")).map_err(bad)?);
    }
    Ok(all)
}

fn state_of(status: &AlertStatus) -> &'static str {
    if status.silenced_by.is_empty() && !status.inhibited {
        "active"
    } else {
        "suppressed"
    }
}

fn alert(status: &AlertStatus) -> Value {
    let alert = &status.alert;
    let receivers: Vec<Value> = status
        .receivers
        .iter()
        .map(|name| json!({ "name": name }))
        .collect();
    json!({
        "labels": object(&alert.labels),
        "annotations": alert.annotations,
        "startsAt": moment(alert.starts_at),
        "updatedAt": moment(clock::now()),
        "endsAt": moment(alert.ends_at.unwrap_or_default()),
        "generatorURL": alert.generator_url,
        "fingerprint": status.fingerprint.to_string(),
        "receivers": receivers,
        "status": {
            "state": state_of(status),
            "silencedBy": status.silenced_by,
            "inhibitedBy": if status.inhibited { vec!["a worse alert"] } else { vec![] },
            "mutedBy": [],
        },
    })
}

async fn groups(State(api): State<Arc<Api>>) -> Result<Json<Vec<Value>>, Refusal> {
    let snapshot = api.manager.look().await?;
    let statuses = snapshot.alerts();
    let mut groups = vec![];
    for group in snapshot.groups() {
        let of_group: Vec<Value> = statuses
            .iter()
            .filter(|status| {
                let labels = &status.alert.labels;
                let agrees = |(name, value): (&str, &str)| labels.value(name) == value;
                status.receivers.contains(&group.receiver) && group.labels.iter().all(agrees)
            })
            .map(alert)
            .collect();
        groups.push(json!({
            "labels": object(&group.labels),
            "receiver": { "name": group.receiver },
            "alerts": of_group,
        }));
    }
    Ok(Json(groups))
}

async fn receivers(State(api): State<Arc<Api>>) -> Result<Json<Vec<Value>>, Refusal> {
    let snapshot = api.manager.look().await?;
    let names = snapshot.receivers();
    Ok(Json(
        names
            .into_iter()
            .map(|name| json!({ "name": name }))
            .collect(),
    ))
}

async fn silences(State(api): State<Arc<Api>>) -> Result<Json<Vec<Value>>, Refusal> {
    let snapshot = api.manager.look().await?;
    Ok(Json(all_silences(&snapshot)))
}

fn all_silences(snapshot: &Snapshot) -> Vec<Value> {
    let told = |silence: &Silence| {
        let matchers: Vec<Value> = silence
            .matchers
            .iter()
            .map(|matcher| {
                json!({
                    "name": matcher.name,
                    "value": matcher.value,
                    "isRegex": matches!(matcher.op, MatchOp::Regex | MatchOp::NotRegex),
                    "isEqual": matches!(matcher.op, MatchOp::Equal | MatchOp::Regex),
                })
            })
            .collect();
        json!({
            "id": silence.id,
            "matchers": matchers,
            "startsAt": moment(silence.starts_at),
            "endsAt": moment(silence.ends_at),
            "updatedAt": moment(silence.updated_at),
            "createdBy": silence.created_by,
            "comment": silence.comment,
            "status": { "state": silence.phase(snapshot.at).as_str() },
        })
    };
    snapshot.silences().map(told).collect()
}

async fn silence(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let snapshot = api.manager.look().await?;
    let found = all_silences(&snapshot)
        .into_iter()
        .find(|silence| silence["id"] == id.as_str());
    found
        .map(Json)
        .ok_or_else(|| Refusal(StatusCode::NOT_FOUND, format!("there is no silence {id}")))
}

/// A silence as it is sent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Posted {
    #[serde(default)]
    id: Option<String>,
    matchers: Vec<PostedMatcher>,
    starts_at: String,
    ends_at: String,
    #[serde(default)]
    created_by: String,
    #[serde(default)]
    comment: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PostedMatcher {
    name: String,
    value: String,
    #[serde(default)]
    is_regex: bool,
    #[serde(default = "yes")]
    is_equal: bool,
}

fn yes() -> bool {
    true
}

async fn set_silence(
    State(api): State<Arc<Api>>,
    Json(posted): Json<Posted>,
) -> Result<Json<Value>, Refusal> {
    let matchers = posted.matchers.into_iter().map(|matcher| {
        let op = match (matcher.is_regex, matcher.is_equal) {
            (false, true) => MatchOp::Equal,
            (false, false) => MatchOp::NotEqual,
            (true, true) => MatchOp::Regex,
            (true, false) => MatchOp::NotRegex,
        };
        Matcher::new(matcher.name, op, matcher.value).map_err(bad)
    });
    let silence = Silence {
        id: posted.id.unwrap_or_default(),
        matchers: matchers.collect::<Result<_, _>>()?,
        starts_at: time(&posted.starts_at)?,
        ends_at: time(&posted.ends_at)?,
        created_by: posted.created_by,
        comment: posted.comment,
        updated_at: clock::now(),
    };
    let made = api.manager.silence(silence).await?;
    made.map(|id| Json(json!({ "silenceID": id }))).map_err(bad)
}

async fn expire(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    let ended: Result<(), SilenceError> = api.manager.unsilence(&id).await?;
    ended
        .map(|()| StatusCode::OK)
        .map_err(|error| Refusal(StatusCode::NOT_FOUND, error.to_string()))
}

fn time(text: &str) -> Result<Timestamp, Refusal> {
    let time: jiff::Timestamp = text
        .parse()
        .map_err(|_| bad(format!("{text:?} is no time: write 2026-01-31T12:00:00Z")))?;
    u64::try_from(time.as_millisecond())
        .map(Timestamp)
        .map_err(|_| bad(format!("{text:?} is before 1970")))
}

fn moment(at: Timestamp) -> String {
    rfc3339(i64::try_from(at.0).unwrap_or(i64::MAX))
}
