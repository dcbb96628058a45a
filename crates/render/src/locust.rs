//! Locust files: one a load scenario.

use serde_json::{Value, json};
use wharf_plan::model::{LoadRequest, Scenario};

use crate::load_profile;
use crate::names;
use crate::template::fill;
use crate::{Input, Rendered, Scope, Target, header};

/// The target.
pub const TARGET: Target = Target {
    name: "locust",
    summary: "a Locust file for each load scenario",
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
        let file = format!("{name}.py");
        let limits = &scenario.thresholds;
        let millis = |limit: Option<std::time::Duration>| {
            limit.map(|limit| load_profile::number(limit.as_secs_f64() * 1000.0))
        };
        let think = scenario.think_time.as_secs_f64();
        let mut at = 0;
        let stages: Vec<Value> = load_profile::stages(scenario)
            .iter()
            .map(|stage| {
                let begin = at;
                at += stage.seconds;
                json!({ "begin": begin, "end": at, "users": stage.users })
            })
            .collect();
        let text = fill(
            include_str!("locust/scenario.py"),
            json!({
                "header": header(input.base), "summary": load_profile::summary(scenario), "file": file, "name": name,
                "class": class(name.as_str()),
                "base_url": literal(&load_profile::base_url(input.base, scenario)),
                "stages": stages, "users": scenario.users, "duration": at,
                "p95": millis(limits.p95), "p99": millis(limits.p99),
                "errors": limits.errors.map(|errors| load_profile::number(errors.fraction())),
                "rate": limits.rate.map(|rate| load_profile::number(rate.per_second())),
                "judged": limits.p95.is_some() || limits.p99.is_some() || limits.errors.is_some() || limits.rate.is_some(),
                "tasks": tasks(scenario), "think": load_profile::number(think),
            }),
        );
        out.add(file, text);
    }
}

/// The name of the class of users; a class name has no digit in front.
fn class(name: &str) -> String {
    let name = names::camel_case(name);
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        format!("Load{name}")
    } else {
        name
    }
}

fn tasks(scenario: &Scenario) -> Vec<Value> {
    let requests = scenario.requests.iter().enumerate();
    requests
        .map(|(index, request)| {
            json!({
                "function": function(index, request), "weight": request.weight, "method": literal(&request.method),
                "path": literal(&request.path), "name": literal(&load_profile::name(request)), "expect": request.expect,
                "headers": headers(request), "body": request.body.as_ref().map(python),
            })
        })
        .collect()
}

/// The name of a task; the number keeps two requests of one path apart.
fn function(index: usize, request: &LoadRequest) -> String {
    let path = request.path.split('?').next().unwrap_or_default();
    let words: Vec<&str> = path
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let path = if words.is_empty() {
        "root".to_owned()
    } else {
        words.join("_")
    };
    let method = names::identifier(&request.method);
    format!("{method}_{path}_{}", index + 1).to_ascii_lowercase()
}

fn headers(request: &LoadRequest) -> Option<String> {
    // `json=` sets the type of the body.
    let headers: Vec<String> = request
        .headers
        .iter()
        .map(|(name, value)| format!("{}: {}", literal(name), literal(value)))
        .collect();
    (!headers.is_empty()).then(|| format!("{{{}}}", headers.join(", ")))
}

/// A JSON value as a literal of Python.
fn python(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => literal(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(python).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(object) => {
            let items: Vec<String> = object
                .iter()
                .map(|(key, value)| format!("{}: {}", literal(key), python(value)))
                .collect();
            format!("{{{}}}", items.join(", "))
        }
    }
}

/// A text of Python: JSON's literals are among its own.
fn literal(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests;
