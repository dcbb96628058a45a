//! k6 scripts: one a load scenario.

use serde_json::{Value, json};
use wharf_plan::model::Scenario;

use crate::load_profile;
use crate::template::fill;
use crate::{Input, Rendered, Scope, Target, header};

/// The target.
pub const TARGET: Target = Target {
    name: "k6",
    summary: "a k6 script for each load scenario",
    scope: Scope::Project,
    applies,
    make,
};

fn applies(input: &Input<'_>) -> Result<(), &'static str> {
    if input.base.load.is_empty() {
        return Err("there is no load scenario (`load:`)");
    }
    Ok(())
}

fn make(input: &Input<'_>, out: &mut Rendered) {
    for (name, scenario) in &input.base.load {
        let requests: Vec<String> = scenario.requests.iter().map(request).collect();
        let total: u64 = scenario.requests.iter().map(|r| u64::from(r.weight)).sum();
        let think = scenario.think_time.as_secs_f64();
        let text = fill(
            include_str!("k6/scenario.js"),
            json!({
                "header": header(input.base), "summary": load_profile::summary(scenario), "name": name, "file": format!("{name}.js"),
                "base_url": literal(&load_profile::base_url(input.base, scenario)),
                "stages": load_profile::stages(scenario).iter().map(|stage| json!({
                    "seconds": stage.seconds, "users": stage.users,
                })).collect::<Vec<_>>(),
                "thresholds": thresholds(scenario), "requests": requests, "several": scenario.requests.len() > 1,
                "total": total, "think": (think > 0.0).then_some(think),
            }),
        );
        out.add(format!("{name}.js"), text);
    }
}

/// `metric: conditions`, as k6 has them.
fn thresholds(scenario: &Scenario) -> Vec<String> {
    let limits = &scenario.thresholds;
    let mut thresholds = vec![];
    let latency: Vec<String> = [("p(95)", limits.p95), ("p(99)", limits.p99)]
        .into_iter()
        .filter_map(|(share, limit)| {
            let millis = limit?.as_secs_f64() * 1000.0;
            Some(format!("'{share}<{millis}'"))
        })
        .collect();
    if !latency.is_empty() {
        thresholds.push(format!("http_req_duration: [{}]", latency.join(", ")));
    }
    if let Some(errors) = limits.errors {
        // None at all is allowed by `<=` only.
        thresholds.push(format!("http_req_failed: ['rate<={}']", errors.fraction()));
    }
    if let Some(rate) = limits.rate {
        thresholds.push(format!("http_reqs: ['rate>={}']", rate.per_second()));
    }
    thresholds
}

fn request(request: &wharf_plan::model::LoadRequest) -> String {
    let mut fields = vec![
        format!("method: {}", literal(&request.method)),
        format!("path: {}", literal(&request.path)),
        format!("name: {}", literal(&load_profile::name(request))),
        format!("weight: {}", request.weight),
        format!("expect: {}", request.expect),
    ];
    let headers: Vec<String> = load_profile::headers(request)
        .iter()
        .map(|(name, value)| format!("{}: {}", literal(name), literal(value)))
        .collect();
    if headers.is_empty() {
        fields.push("headers: {}".to_owned());
    } else {
        fields.push(format!("headers: {{ {} }}", headers.join(", ")));
    }
    fields.push(match &request.body {
        Some(body) => format!("body: JSON.stringify({body})"),
        None => "body: null".to_owned(),
    });
    fields.join(", ")
}

/// A text of JavaScript.
fn literal(text: &str) -> String {
    let plain = |c: char| {
        c != '\'' && c != '\\' && !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}')
    };
    if text.chars().all(plain) {
        return format!("'{text}'");
    }
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests;
