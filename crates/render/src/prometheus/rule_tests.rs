//! The examples of alerts as `promtool test rules` reads them, one file a group.

use std::collections::BTreeMap;
use std::time::Duration;

use wharf_base::duration;
use wharf_plan::rules::{Alerting, Example, Firing, Group, Rule, Rules};

use crate::yaml::{Map, Yaml};
use crate::{Rendered, list, map};

pub(super) fn write(rules: &Rules, header: &str, out: &mut Rendered) {
    for group in &rules.groups {
        let tests = cases(group);
        if tests.is_empty() {
            continue;
        }
        let file = map! {
            "rule_files" => list![format!("../rules/{}.yml", group.name)],
            "evaluation_interval" => duration::format(step(group)),
            "tests" => tests,
        };
        out.yaml(
            &format!("tests/{}.yml", group.name),
            header,
            vec![file.into()],
        );
    }
}

/// How often rules are evaluated in tests: a minute, and five where examples last for a day.
fn step(group: &Group) -> Duration {
    let alerts = group.rules.iter().filter_map(|rule| match rule {
        Rule::Alert(alert) => Some(alert),
        Rule::Record(_) => None,
    });
    let longest = alerts
        .flat_map(|alert| &alert.examples)
        .map(|example| example.at)
        .max();
    let day = Duration::from_secs(24 * 60 * 60);
    let minutes = if longest.is_some_and(|longest| longest > day) {
        5
    } else {
        1
    };
    Duration::from_secs(60 * minutes)
}

fn cases(group: &Group) -> Vec<Yaml> {
    let alerts = group.rules.iter().filter_map(|rule| match rule {
        Rule::Alert(alert) => Some(&**alert),
        Rule::Record(_) => None,
    });
    alerts
        .flat_map(|alert| {
            alert
                .examples
                .iter()
                .map(move |example| case(alert, example))
        })
        .map(Yaml::from)
        .collect()
}

fn case(alert: &Alerting, example: &Example) -> Map {
    let series: Vec<Map> = example
        .series
        .iter()
        .map(|series| map! { "series" => &series.selector, "values" => &series.values })
        .collect();
    let firing: Vec<Map> = example
        .fires
        .iter()
        .map(|firing| expected(alert, firing))
        .collect();
    let does = if example.fires.is_empty() {
        "is quiet"
    } else {
        "fires"
    };
    let mut test = map! {
        "eval_time" => duration::format(example.at),
        "alertname" => &alert.name,
    };
    // No expected alert is an assertion as well.
    test.set("exp_alerts", firing);
    let mut case = Map::new();
    case.set("name", format!("{} {does}: {}", alert.name, example.when));
    case.set("interval", "1m");
    case.set("input_series", series);
    case.set("alert_rule_test", list![test]);
    case
}

fn expected(alert: &Alerting, firing: &Firing) -> Map {
    let mut labels: BTreeMap<String, String> = firing.labels.clone();
    labels.extend(alert.all_labels());
    map! {
        "exp_labels" => labels,
        "exp_annotations" => map! {
            "summary" => firing.filled(&alert.summary),
            "description" => firing.filled(&alert.description),
        },
    }
}
