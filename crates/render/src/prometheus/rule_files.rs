//! Rules as files of Prometheus, one a group.

use wharf_base::duration;
use wharf_plan::rules::{Alerting, Group, Recording, Rule, Rules};

use crate::yaml::{Map, Yaml};
use crate::{Rendered, list, map};

pub(super) fn write(rules: &Rules, header: &str, out: &mut Rendered) {
    for group in &rules.groups {
        let path = format!("rules/{}.yml", group.name);
        let header = format!("{header}\n{}", group.about);
        out.yaml(&path, &header, vec![file(group).into()]);
    }
}

fn file(group: &Group) -> Map {
    let rules: Vec<Yaml> = group
        .rules
        .iter()
        .map(|rule| match rule {
            Rule::Record(rule) => recording(rule).into(),
            Rule::Alert(alert) => alerting(alert).into(),
        })
        .collect();
    map! { "groups" => list![map! { "name" => group.name, "rules" => rules }] }
}

fn recording(rule: &Recording) -> Map {
    let mut map = map! { "record" => &rule.name, "expr" => &rule.expr };
    map.set_full("labels", rule.labels.clone());
    map
}

fn alerting(alert: &Alerting) -> Map {
    let mut map = Map::new();
    map.set_with_comment(alert.why.as_str(), "alert", &alert.name);
    map.set("expr", &alert.expr);
    if !alert.hold.is_zero() {
        map.set("for", duration::format(alert.hold));
    }
    if !alert.keep.is_zero() {
        map.set("keep_firing_for", duration::format(alert.keep));
    }
    map.set("labels", alert.all_labels());
    let mut annotations = map! { "summary" => &alert.summary, "description" => &alert.description };
    for (name, text) in &alert.annotations {
        annotations.set(name, text);
    }
    map.set("annotations", annotations);
    map
}
