//! Alertmanager: who hears of which alert, in which words.
//!
//! ```text
//! alertmanager.yml       routes, inhibition, receivers
//! templates/wharf.tmpl   the words of messages
//! check.sh               amtool: the file is right, and alerts reach whom they should
//! README.md              the secret files that have to be there
//! ```
//!
//! Webhooks and keys are read from files below [`SECRETS`], one a secret and called as it; no value stands here.

use std::collections::BTreeSet;

use wharf_base::files::FileSet;
use wharf_plan::model::{Channel, Plan, Receiver, Severity, TargetKind};
use wharf_plan::rules::rules;
use wharf_plan::template::{Part, Reference, Template};

use crate::prometheus::MONITORING;
use crate::yaml::{Map, Yaml};
use crate::{Input, Rendered, Scope, Target, header, list, map, template};

/// The target.
pub const TARGET: Target = Target {
    name: "alertmanager",
    summary: "Alertmanager: routes by severity and receiver, inhibition, messages",
    scope: Scope::Environment,
    applies: |_| Ok(()),
    make,
};

/// The folder of the secret files.
pub const SECRETS: &str = "/etc/alertmanager/secrets";

/// Whoever hears of nothing: the receiver of alerts that nobody asked for.
const NOBODY: &str = "nobody";

const SEVERITIES: [Severity; 3] = [Severity::Critical, Severity::Warning, Severity::Info];

fn make(input: &Input<'_>, out: &mut Rendered) {
    let plan = input.plan;
    configuration(plan, out);
    out.add_program("check.sh", check(plan));
    out.add("README.md", readme(plan));
    if plan.notify.is_empty() {
        out.gap("alerts", "nobody is told of them: the file has no `notify`");
    }
    for severity in [Severity::Critical, Severity::Warning] {
        let mut receivers = plan.notify.values();
        let heard = receivers.any(|receiver| receiver.severities.contains(&severity));
        if !heard && !plan.notify.is_empty() {
            out.gap(
                "notify",
                format!("nobody hears of alerts of severity {}", severity.as_str()),
            );
        }
    }
    for (name, receiver) in &plan.notify {
        if matches!(receiver.channel, Channel::Email { .. }) {
            out.gap(
                format!("notify.{name}"),
                format!(
                    "the file names no mail server: mail goes to a relay at {}",
                    relay(plan)
                ),
            );
        }
    }
}

/// What the server reads: `alertmanager.yml` and `templates/wharf.tmpl`.
#[must_use]
pub fn files(plan: &Plan) -> FileSet {
    let mut out = Rendered::of(plan, TARGET.name);
    configuration(plan, &mut out);
    out.files
}

/// The secrets that the server reads from files below [`SECRETS`], each once, in order.
#[must_use]
pub fn secrets(plan: &Plan) -> Vec<String> {
    let names: BTreeSet<String> = plan
        .notify
        .values()
        .filter_map(|receiver| match &receiver.channel {
            Channel::Slack { url, .. } | Channel::Webhook { url } => secret(url),
            Channel::Pagerduty { key } => secret(key),
            Channel::Email { .. } => None,
        })
        .collect();
    names.into_iter().collect()
}

/// The secret that a value is.
fn secret(value: &Template) -> Option<String> {
    match value.parts.as_slice() {
        [Part::Reference(Reference::Secret(name))] => Some(name.to_string()),
        _ => None,
    }
}

/// The mail relay: a server that accepts mail of this network without a password.
fn relay(plan: &Plan) -> String {
    match plan.target.kind {
        TargetKind::Kubernetes => format!("smtp-relay.{MONITORING}.svc:587"),
        TargetKind::Compose => "smtp-relay:587".to_owned(),
        TargetKind::Local | TargetKind::Ec2 => "localhost:587".to_owned(),
    }
}

fn configuration(plan: &Plan, out: &mut Rendered) {
    let mut config = Map::new();
    let mut global = map! { "resolve_timeout" => "5m" };
    let to = plan
        .notify
        .values()
        .find_map(|receiver| match &receiver.channel {
            Channel::Email { to } => Some(to),
            _ => None,
        });
    if let Some(to) = to {
        let domain = to.split_once('@').map_or("localhost", |(_, domain)| domain);
        global.set("smtp_smarthost", relay(plan));
        global.set("smtp_from", format!("alertmanager@{domain}"));
        global.set("smtp_require_tls", true);
    }
    config.set("global", global);
    config.set_with_comment("\n", "templates", list!["templates/*.tmpl"]);
    config.set_with_comment("\n", "route", route(plan));
    config.set_with_comment("\n", "inhibit_rules", inhibitions());
    let mut receivers = vec![map! { "name" => NOBODY }];
    receivers.extend(
        plan.notify
            .iter()
            .map(|(name, receiver)| self::receiver(name.as_str(), receiver)),
    );
    config.set_with_comment("\n", "receivers", receivers);
    out.yaml("alertmanager.yml", &header(plan), vec![config.into()]);
    out.add(
        "templates/wharf.tmpl",
        template::fill(
            include_str!("alertmanager/wharf.tmpl"),
            serde_json::json!({ "header": header(plan) }),
        ),
    );
}

fn route(plan: &Plan) -> Map {
    let mut routes: Vec<Map> = vec![];
    // Alerts that name their receivers go there, whatever their severity.
    let named: BTreeSet<String> = rules(plan)
        .alerts()
        .flat_map(|alert| alert.notify.iter().map(ToString::to_string))
        .collect();
    for (index, name) in named.iter().enumerate() {
        let comment = if index == 0 {
            "Alerts that name their receivers go there, whatever their severity."
        } else {
            ""
        };
        let mut route = Map::new();
        route.set_with_comment(comment, "receiver", name);
        route.set("matchers", list![format!("notify=~\"(.+,)?{name}(,.+)?\"")]);
        route.set("continue", true);
        routes.push(route);
    }
    for severity in SEVERITIES {
        let hears = plan
            .notify
            .iter()
            .filter(|(_, receiver)| receiver.severities.contains(&severity));
        // Somebody who is woken is told at once and again every hour; what only informs is collected.
        let (comment, wait, repeat) = match severity {
            Severity::Critical => (
                "Somebody is woken: at once, and again every hour.",
                "10s",
                "1h",
            ),
            Severity::Warning => ("Somebody looks in working hours.", "30s", "4h"),
            Severity::Info => (
                "Nobody has to do anything: collected, once a day.",
                "5m",
                "1d",
            ),
        };
        for (index, (name, _)) in hears.enumerate() {
            let mut route = Map::new();
            route.set_with_comment(if index == 0 { comment } else { "" }, "receiver", name);
            route.set(
                "matchers",
                list![format!("severity=\"{}\"", severity.as_str()), "notify=\"\"",],
            );
            route.set("group_wait", wait);
            route.set("repeat_interval", repeat);
            route.set("continue", true);
            routes.push(route);
        }
    }
    let mut root = map! {
        "receiver" => NOBODY,
        "group_by" => Yaml::Inline(vec!["alertname".into(), "namespace".into(), "service".into()]),
        "group_wait" => "30s",
        "group_interval" => "5m",
        "repeat_interval" => "4h",
    };
    root.set_full("routes", routes);
    root
}

fn inhibitions() -> Yaml {
    let equal = || Yaml::Inline(vec!["namespace".into(), "service".into()]);
    let mut worse = Map::new();
    worse.set_with_comment(
        "What is critical silences the rest of the same service. Without a service, all would be the same one.",
        "source_matchers",
        list!["severity=\"critical\"", "service!=\"\""],
    );
    worse.set("target_matchers", list!["severity=~\"warning|info\""]);
    worse.set("equal", equal());
    let mut down = Map::new();
    down.set_with_comment(
        "A service that is down fails requests: that is no second page.",
        "source_matchers",
        list!["alertname=\"ServiceDown\""],
    );
    down.set(
        "target_matchers",
        list!["alertname=~\"HighErrorRate|ErrorBudgetBurnsFast\""],
    );
    down.set("equal", equal());
    list![worse, down]
}

fn receiver(name: &str, receiver: &Receiver) -> Map {
    let file = |value: &Template| {
        let secret = secret(value).unwrap_or_else(|| name.to_owned());
        format!("{SECRETS}/{secret}")
    };
    let mut map = map! { "name" => name };
    match &receiver.channel {
        Channel::Slack { channel, url } => map.set(
            "slack_configs",
            list![map! {
                "api_url_file" => file(url),
                "channel" => channel,
                "send_resolved" => true,
                "color" => "{{ template \"wharf.color\" . }}",
                "title" => "{{ template \"wharf.title\" . }}",
                "text" => "{{ template \"wharf.text\" . }}",
            }],
        ),
        Channel::Pagerduty { key } => map.set(
            "pagerduty_configs",
            list![map! {
                "routing_key_file" => file(key),
                "send_resolved" => true,
                "severity" => "{{ template \"wharf.severity\" . }}",
                "description" => "{{ template \"wharf.title\" . }}",
                "details" => map! { "alerts" => "{{ template \"wharf.text\" . }}" },
            }],
        ),
        Channel::Email { to } => map.set(
            "email_configs",
            list![map! {
                "to" => to,
                "send_resolved" => true,
                "headers" => map! { "Subject" => "{{ template \"wharf.title\" . }}" },
                "text" => "{{ template \"wharf.text\" . }}",
                "html" => "",
            }],
        ),
        Channel::Webhook { url } => {
            let mut webhook = Map::new();
            match secret(url) {
                Some(_) => webhook.set("url_file", file(url)),
                None => webhook.set("url", url.to_string()),
            };
            webhook.set("send_resolved", true);
            map.set("webhook_configs", list![webhook])
        }
    };
    map
}

/// Who is told of an alert of this severity that names nobody.
fn expected(plan: &Plan, severity: Severity) -> Vec<&str> {
    let names: Vec<&str> = plan
        .notify
        .iter()
        .filter(|(_, receiver)| receiver.severities.contains(&severity))
        .map(|(name, _)| name.as_str())
        .collect();
    if names.is_empty() {
        vec![NOBODY]
    } else {
        names
    }
}

fn check(plan: &Plan) -> String {
    let mut cases: Vec<serde_json::Value> = SEVERITIES
        .iter()
        .map(|severity| {
            serde_json::json!({
                "labels": format!("alertname=Any severity={}", severity.as_str()),
                "receivers": expected(plan, *severity).join(","),
            })
        })
        .collect();
    for alert in rules(plan)
        .alerts()
        .filter(|alert| !alert.notify.is_empty())
    {
        let labels = alert.all_labels();
        cases.push(serde_json::json!({
            "labels": format!(
                "alertname={} notify={} severity={}",
                alert.name, labels["notify"], labels["severity"]
            ),
            "receivers": labels["notify"],
        }));
    }
    template::fill(
        include_str!("alertmanager/check.sh"),
        serde_json::json!({ "header": header(plan), "cases": cases }),
    )
}

fn readme(plan: &Plan) -> String {
    let receivers: Vec<serde_json::Value> = plan
        .notify
        .iter()
        .map(|(name, receiver)| {
            let severities: Vec<&str> = receiver
                .severities
                .iter()
                .map(|severity| severity.as_str())
                .collect();
            let way = match &receiver.channel {
                Channel::Slack { channel, .. } => format!("Slack, {channel}"),
                Channel::Pagerduty { .. } => "PagerDuty".to_owned(),
                Channel::Email { to } => format!("mail to {to}"),
                Channel::Webhook { .. } => "webhook".to_owned(),
            };
            serde_json::json!({ "name": name, "way": way, "severities": severities.join(", ") })
        })
        .collect();
    template::fill(
        include_str!("alertmanager/README.md.in"),
        serde_json::json!({
            "header": header(plan),
            "receivers": receivers,
            "secrets": secrets(plan),
            "folder": SECRETS,
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let file = include_bytes!("../../../examples/django-eks/wharf.yaml");
        let (plan, diagnostics) = wharf_plan::resolve(file, Some("prod"));
        plan.unwrap_or_else(|| panic!("{diagnostics:?}"))
    }

    #[test]
    fn secrets_are_files() {
        let plan = plan();
        let files = files(&plan);
        let text = &files.get("alertmanager.yml").expect("it is there").text;
        assert!(text.contains("api_url_file: /etc/alertmanager/secrets/slack-webhook"));
        assert!(text.contains("routing_key_file: /etc/alertmanager/secrets/pagerduty-key"));
        assert_eq!(secrets(&plan), ["pagerduty-key", "slack-webhook"]);
    }

    #[test]
    fn severities_reach_whom_the_file_says() {
        let plan = plan();
        assert_eq!(expected(&plan, Severity::Critical), ["pagerduty"]);
        assert_eq!(expected(&plan, Severity::Warning), ["slack"]);
        assert_eq!(expected(&plan, Severity::Info), ["team"]);
    }

    #[test]
    fn an_alert_that_names_its_receiver_goes_there_only() {
        let mut plan = plan();
        let slack: wharf_base::ids::Name = "slack".parse().expect("a name");
        plan.alerts[0].notify = vec![slack];
        let files = files(&plan);
        let text = &files.get("alertmanager.yml").expect("it is there").text;
        assert!(text.contains("notify=~\"(.+,)?slack(,.+)?\""), "{text}");
        assert!(check(&plan).contains("verify.receivers=slack alertname=QueueBacklog"));
    }
}
