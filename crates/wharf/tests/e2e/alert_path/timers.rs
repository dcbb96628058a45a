//! When alerts fire, from the series that the rules leave.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use wharf_base::clock;

use super::people::{People, WEBHOOK};
use super::written_down;
use crate::stack::{Stack, wait_for};
use crate::telemetry::{ask, telemetry};

/// The time in seconds.
pub(super) fn now() -> f64 {
    clock::now().0 as f64 / 1000.0
}

/// Times and values of an alert's series of `api` since a time, in order.
fn samples(url: &str, series: &str, since: f64) -> Vec<(f64, f64)> {
    let query: String = form_urlencoded::byte_serialize(series.as_bytes()).collect();
    let answer = ask(url, &format!("/api/v1/query?query={query}"));
    let mut all = vec![];
    for series in answer["data"]["result"].as_array().unwrap() {
        for sample in series["values"].as_array().unwrap() {
            let value: f64 = sample[1].as_str().unwrap().parse().unwrap();
            all.push((sample[0].as_f64().unwrap(), value));
        }
    }
    all.retain(|(at, _)| *at > since);
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all
}

/// Checks that an alert fired at the first look after it was due for `hold`, and not before. What a message says of its begin
/// is the same. `killed` is when the engine was killed while it was due and did not fire.
#[track_caller]
pub(super) fn fired_in_its_time(
    people: &People,
    stack: &Stack,
    alert: &str,
    hold: Duration,
    killed: Option<f64>,
) {
    let since = people.begun(alert);
    let url = telemetry(stack);
    let of = |state: &str| {
        let matchers = format!("alertname=\"{alert}\",service=\"api\",alertstate=\"{state}\"");
        samples(&url, &format!("ALERTS{{{matchers}}}[15m]"), since)
    };
    let begins = format!("ALERTS_FOR_STATE{{alertname=\"{alert}\",service=\"api\"}}[15m]");
    let begins = samples(&url, &begins, since);
    let (pending, firing) = (of("pending"), of("firing"));
    let seen = format!("{alert}: pending {pending:?}, firing {firing:?}, {begins:?}");
    // The time in which no engine ran counts for nothing: the begin moves with it, and is told in whole seconds.
    let rounded = if killed.is_some() { 1.0 } else { 0.0 };
    let begin = begins.last().unwrap().1;
    let due = begin + hold.as_secs_f64();
    let over = |(at, _): &(f64, f64)| *at >= due + rounded;
    assert!(!pending.iter().any(over), "{seen}");
    assert!(firing.iter().all(|(at, _)| *at >= due), "{seen}");
    if let Some(killed) = killed {
        let mut later = begins.iter().filter(|(at, _)| *at > killed);
        assert!(later.all(|(at, begin)| begin < at), "{killed}, {seen}");
    }
    let told: Value = serde_json::from_str(&people.posted(WEBHOOK, alert)[0].body).unwrap();
    let told = told["alerts"][0]["startsAt"].as_str().unwrap().to_owned();
    let clock = told.split(['T', 'Z']).nth(1).unwrap().split(':');
    let of_day = clock.fold(0.0, |sum, part| sum * 60.0 + part.parse::<f64>().unwrap());
    assert_eq!(of_day, firing[0].0 % 86_400.0, "{told}, {seen}");
}

/// Kills the engine while an alert is due and does not fire yet, and gives when; none where the alert was faster.
pub(super) fn killed_before_it_fires(stack: &Stack, alert: &str) -> Option<f64> {
    let path = stack.folder().join(".wharf/telemetry/rules.json");
    let mut phase = None;
    // Two looks at least: a timer that began anew would be seen to.
    wait_for(&format!("{alert} to be due for a while"), || {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let written: Value = serde_json::from_str(&text).unwrap_or_default();
        let groups = written["state"].as_object().into_iter().flatten();
        let rules = groups.map(|(_, group)| &group[alert]);
        phase = rules.clone().find_map(|rule| {
            let seen = rule["seen"].as_u64()?;
            let mut instances = rule["instances"].as_object()?.values();
            let long = instances.find(|one| {
                let since = one["active_at"].as_u64().unwrap_or(seen);
                one["phase"] != "inactive" && seen >= since + 1000
            });
            Some(long?["phase"].clone())
        });
        phase.is_some()
    });
    stack.kill_engine();
    (phase? == "pending").then(now)
}

/// The time since which an alert's messages count: it is not due, and nobody thinks it is.
pub(super) fn begin(stack: &Stack, people: &People, alert: &str) {
    wait_for(&format!("{alert} to be over"), || {
        let alerts = ask(&telemetry(stack), "/api/v1/alerts");
        let alerts = alerts["data"]["alerts"].as_array().unwrap().clone();
        let none = |list: &Value| list.as_array().is_none_or(Vec::is_empty);
        let written = written_down(stack);
        let mut groups = written["state"]["groups"].as_object().into_iter().flatten();
        !alerts.iter().any(|one| one["labels"]["alertname"] == alert)
            && groups
                .all(|(_, group)| group["labels"]["alertname"] != alert || none(&group["maybe"]))
    });
    people.begin(alert, now());
}
