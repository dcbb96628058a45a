//! The examples of alerts as `promtool test rules` reads them, one file a group.

use std::collections::BTreeMap;
use std::time::Duration;

use wharf_base::duration;
use wharf_plan::rules::{Alerting, Example, Firing, Group, Rule, Rules};

use crate::yaml::{Map, Yaml};
use crate::{Rendered, list, map};

/// From here on an example is evaluated every five minutes: it lasts for days, and nothing in it is shorter.
const LONG: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn write(rules: &Rules, header: &str, out: &mut Rendered) {
    for group in &rules.groups {
        for (long, suffix, interval) in [(false, "", "1m"), (true, "-days", "5m")] {
            let tests = cases(group, long);
            if tests.is_empty() {
                continue;
            }
            let file = map! {
                "rule_files" => list![format!("../rules/{}.yml", group.name)],
                "evaluation_interval" => interval,
                "tests" => tests,
            };
            let path = format!("tests/{}{suffix}.yml", group.name);
            out.yaml(&path, header, vec![file.into()]);
        }
    }
}

fn cases(group: &Group, long: bool) -> Vec<Yaml> {
    let alerts = group.rules.iter().filter_map(|rule| match rule {
        Rule::Alert(alert) => Some(&**alert),
        Rule::Record(_) => None,
    });
    alerts
        .flat_map(|alert| alert.examples.iter().map(move |example| (alert, example)))
        .filter(|(_, example)| (example.at > LONG) == long)
        .map(|(alert, example)| Yaml::from(case(alert, example)))
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
