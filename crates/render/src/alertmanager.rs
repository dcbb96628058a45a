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

use wharf_base::duration;
use wharf_base::files::FileSet;
use wharf_plan::model::{Channel, Plan, Receiver, Severity, Smtp, SmtpTls, TargetKind};
use wharf_plan::routing::{
    self, GROUP_BY, GROUP_INTERVAL, GROUP_WAIT, REPEAT_INTERVAL, SEVERITIES,
};
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
        if matches!(receiver.channel, Channel::Email { smtp: None, .. }) {
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
            Channel::Pagerduty { key, .. } => secret(key),
            Channel::Email { smtp, .. } => {
                let account = smtp.as_ref().and_then(|smtp| smtp.account.as_ref());
                account.and_then(|(_, password)| secret(password))
            }
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
            Channel::Email { to, smtp: None } => Some(to),
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
    let mut told_of = None;
    for of in routing::routes(plan) {
        // The first of its kind says what they have in common.
        let comment = match of.severity {
            _ if told_of == Some(of.severity) => "",
            None => "Alerts that name their receivers go there, whatever their severity.",
            Some(Severity::Critical) => "Somebody is woken: at once, and again every hour.",
            Some(Severity::Warning) => "Somebody looks in working hours.",
            Some(Severity::Info) => "Nobody has to do anything: collected, once a day.",
        };
        told_of = Some(of.severity);
        let mut route = Map::new();
        route.set_with_comment(comment, "receiver", of.receiver);
        let matchers: Vec<Yaml> = of.conditions.iter().map(|c| c.to_string().into()).collect();
        route.set("matchers", matchers);
        let own = plan.telemetry.notifications;
        if of.severity.is_some() || own.group_wait.is_some() {
            route.set("group_wait", duration::format(of.group_wait));
        }
        if own.group_interval.is_some() {
            route.set("group_interval", duration::format(of.group_interval));
        }
        if of.severity.is_some() || own.repeat_interval.is_some() {
            route.set("repeat_interval", duration::format(of.repeat_interval));
        }
        route.set("continue", true);
        routes.push(route);
    }
    let mut root = map! {
        "receiver" => NOBODY,
        "group_by" => Yaml::Inline(GROUP_BY.into_iter().map(Yaml::from).collect()),
        "group_wait" => duration::format(GROUP_WAIT),
        "group_interval" => duration::format(GROUP_INTERVAL),
        "repeat_interval" => duration::format(REPEAT_INTERVAL),
    };
    root.set_full("routes", routes);
    root
}

fn inhibitions() -> Yaml {
    let texts = |conditions: &[routing::Condition]| -> Vec<Yaml> {
        conditions.iter().map(|c| c.to_string().into()).collect()
    };
    let rules = routing::inhibitions().into_iter().map(|rule| {
        let mut map = Map::new();
        map.set_with_comment(rule.why, "source_matchers", texts(&rule.source));
        map.set("target_matchers", texts(&rule.target));
        map.set(
            "equal",
            Yaml::Inline(rule.equal.into_iter().map(Yaml::from).collect()),
        );
        Yaml::from(map)
    });
    Yaml::List(rules.collect())
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
        Channel::Pagerduty { key, url } => {
            let mut config = map! {
                "routing_key_file" => file(key),
                "send_resolved" => true,
                "severity" => "{{ template \"wharf.severity\" . }}",
                "description" => "{{ template \"wharf.title\" . }}",
                "details" => map! { "alerts" => "{{ template \"wharf.text\" . }}" },
            };
            config.set_some("url", url.as_ref());
            map.set("pagerduty_configs", list![config])
        }
        Channel::Email { to, smtp } => {
            let mut config = map! {
                "to" => to,
                "send_resolved" => true,
                "headers" => map! { "Subject" => "{{ template \"wharf.title\" . }}" },
                "text" => "{{ template \"wharf.text\" . }}",
                "html" => "",
            };
            if let Some(smtp) = smtp {
                mail_server(smtp, &file, &mut config);
            }
            map.set("email_configs", list![config])
        }
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

fn mail_server(smtp: &Smtp, file: &dyn Fn(&Template) -> String, config: &mut Map) {
    config.set("smarthost", format!("{}:{}", smtp.host, smtp.port));
    config.set("from", &smtp.from);
    if let Some((user, password)) = &smtp.account {
        config.set("auth_username", user);
        config.set("auth_password_file", file(password));
    }
    config.set("require_tls", smtp.tls == SmtpTls::Starttls);
    // On port 465 it speaks TLS from the first byte by itself, and older versions know no such key.
    if smtp.tls == SmtpTls::Tls && smtp.port != 465 {
        config.set("force_implicit_tls", true);
    }
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
                Channel::Email { to, .. } => format!("mail to {to}"),
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
