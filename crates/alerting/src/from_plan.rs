//! Receivers, routes and inhibitions of a plan.

use wharf_control::alert::{Inhibition, Policy, Route, Timing};
use wharf_plan::model::{self, Plan};
use wharf_plan::routing::{self, Condition, GROUP_BY};
use wharf_plan::template::{Part, Reference, Template};
use wharf_signal::{MatchOp, Matcher, MatcherError};

use crate::dispatch::{Channel, PAGERDUTY_URL, Receiver, Secret, Sender, Smtp, SmtpTls};

/// Looks up the value of a secret.
pub type Secrets<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A receiver that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "notify.{receiver} needs the secret `{secret}`, which has no value here, and is told of nothing until it has one"
)]
pub struct MissingSecret {
    /// The receiver.
    pub receiver: String,
    /// The secret.
    pub secret: String,
}

/// Who is told of what, and what is kept back.
///
/// # Errors
/// A receiver's name makes no regular expression; names of the file all do.
pub fn policy(plan: &Plan) -> Result<Policy, MatcherError> {
    let mut policy = Policy::default();
    for route in routing::routes(plan) {
        policy.routes.push(Route {
            receiver: route.receiver.to_string(),
            matchers: matchers(&route.conditions)?,
            group_by: GROUP_BY.map(str::to_owned).to_vec(),
            timing: Timing {
                group_wait: route.group_wait,
                group_interval: route.group_interval,
                repeat_interval: route.repeat_interval,
            },
            send_resolved: true,
        });
    }
    for rule in routing::inhibitions() {
        policy.inhibitions.push(Inhibition {
            source: matchers(&rule.source)?,
            target: matchers(&rule.target)?,
            equal: rule.equal.map(str::to_owned).to_vec(),
        });
    }
    Ok(policy)
}

fn matchers(conditions: &[Condition]) -> Result<Vec<Matcher>, MatcherError> {
    let matchers = conditions.iter().map(|condition| {
        let op = match (condition.is_equal, condition.is_regex) {
            (true, false) => MatchOp::Equal,
            (false, false) => MatchOp::NotEqual,
            (true, true) => MatchOp::Regex,
            (false, true) => MatchOp::NotRegex,
        };
        Matcher::new(condition.label, op, condition.value.as_str())
    });
    matchers.collect()
}

/// Who sends, for the texts.
#[must_use]
pub fn sender(plan: &Plan, external_url: &str) -> Sender {
    let environment = plan.environment.as_ref();
    Sender {
        origin: environment.map_or_else(
            || plan.name.to_string(),
            |environment| format!("{} ({environment})", plan.name),
        ),
        external_url: external_url.to_owned(),
    }
}

/// The receivers with the values of their secrets, and those that lack one: they are told of nothing.
#[must_use]
pub fn receivers(plan: &Plan, secrets: Secrets<'_>) -> (Vec<Receiver>, Vec<MissingSecret>) {
    let (mut receivers, mut missing) = (vec![], vec![]);
    for (name, receiver) in &plan.notify {
        match channel(&receiver.channel, secrets) {
            Ok(channel) => receivers.push(Receiver {
                name: name.to_string(),
                channel,
            }),
            Err(secret) => missing.push(MissingSecret {
                receiver: name.to_string(),
                secret,
            }),
        }
    }
    (receivers, missing)
}

fn channel(channel: &model::Channel, secrets: Secrets<'_>) -> Result<Channel, String> {
    Ok(match channel {
        model::Channel::Slack { channel, url } => Channel::Slack {
            url: value(url, secrets)?,
            channel: channel.clone(),
        },
        model::Channel::Pagerduty { key, url } => Channel::Pagerduty {
            key: value(key, secrets)?,
            url: url.clone().unwrap_or_else(|| PAGERDUTY_URL.to_owned()),
        },
        model::Channel::Email { to, smtp } => Channel::Email {
            to: to.clone(),
            smtp: match smtp {
                Some(smtp) => mail_server(smtp, secrets)?,
                None => relay(to),
            },
        },
        model::Channel::Webhook { url } => Channel::Webhook {
            url: value(url, secrets)?,
        },
    })
}

fn mail_server(smtp: &model::Smtp, secrets: Secrets<'_>) -> Result<Smtp, String> {
    let account = match &smtp.account {
        Some((user, password)) => Some((user.clone(), value(password, secrets)?)),
        None => None,
    };
    Ok(Smtp {
        host: smtp.host.clone(),
        port: smtp.port,
        from: smtp.from.clone(),
        account,
        tls: match smtp.tls {
            model::SmtpTls::Starttls => SmtpTls::Starttls,
            model::SmtpTls::Tls => SmtpTls::Tls,
            model::SmtpTls::None => SmtpTls::None,
        },
    })
}

/// The mail server of this machine: what takes mail where the file names none.
fn relay(to: &str) -> Smtp {
    let domain = to
        .rsplit_once('@')
        .map_or("localhost", |(_, domain)| domain);
    Smtp {
        host: "localhost".to_owned(),
        port: 25,
        from: format!("wharf@{domain}"),
        account: None,
        tls: SmtpTls::None,
    }
}

/// A text with the values of its secrets.
///
/// # Errors
/// The name of the one that has none.
pub fn value(template: &Template, secrets: Secrets<'_>) -> Result<Secret, String> {
    let mut text = String::new();
    for part in &template.parts {
        match part {
            Part::Text(part) => text.push_str(part),
            Part::Reference(Reference::Secret(name)) => {
                text.push_str(&secrets(name.as_str()).ok_or_else(|| name.to_string())?);
            }
            // The plan refuses others where alerts are sent from.
            Part::Reference(other) => return Err(other.to_string()),
        }
    }
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use wharf_signal::Labels;

    use super::*;

    const FILE: &str = r##"
name: shop
services: { web: { build: ., port: 8000, metrics: /metrics } }
secrets: { slack: {}, key: {}, smtp: {} }
telemetry: { notifications: { repeat_interval: 2h } }
notify:
  chat: { slack: "#a", url: "${secret.slack}", severities: [warning, info] }
  pager: { pagerduty: "${secret.key}", url: "http://127.0.0.1:1/v2", severities: [critical] }
  mail: { email: ops@example.com, smtp: { host: mx.example.com, from: w@example.com, user: w, password: "${secret.smtp}", tls: tls }, severities: [info] }
  hook: { webhook: "http://127.0.0.1:2/x", severities: [info] }
alerts:
  - { name: Backlog, query: jobs > 1, notify: [hook, mail] }
"##;

    fn plan() -> Plan {
        let (plan, diagnostics) = wharf_plan::resolve(FILE.as_bytes(), None);
        plan.unwrap_or_else(|| panic!("{diagnostics:?}"))
    }

    #[test]
    fn alerts_go_where_the_file_says() {
        let policy = policy(&plan()).unwrap();
        let heard = |labels: &[(&str, &str)]| -> Vec<&str> {
            let labels = Labels::from_pairs(labels.iter().copied());
            let routes = policy.routes.iter().filter(|route| route.takes(&labels));
            routes.map(|route| route.receiver.as_str()).collect()
        };
        assert_eq!(heard(&[("severity", "critical")]), ["pager"]);
        assert_eq!(heard(&[("severity", "warning")]), ["chat"]);
        assert_eq!(heard(&[("severity", "info")]), ["chat", "hook", "mail"]);
        assert_eq!(
            heard(&[("severity", "warning"), ("notify", "hook,mail")]),
            ["hook", "mail"]
        );
        let repeats = policy
            .routes
            .iter()
            .map(|route| route.timing.repeat_interval);
        assert!(repeats.into_iter().all(|repeat| repeat.as_secs() == 7200));
        assert_eq!(policy.inhibitions.len(), 2);
    }

    #[test]
    fn secrets_are_filled_in_and_missing_ones_named() {
        let some = |name: &str| (name != "key").then(|| format!("http://v/{name}"));
        let (receivers, missing) = receivers(&plan(), &some);
        let names: Vec<&str> = receivers.iter().map(|r| r.name.as_str()).collect();
        assert_eq!(names, ["chat", "hook", "mail"]);
        assert_eq!(
            missing[0].to_string(),
            "notify.pager needs the secret `key`, which has no value here, and is told of nothing until it has one"
        );
        let Channel::Email { smtp, .. } = &receivers[2].channel else {
            panic!("{receivers:?}");
        };
        assert_eq!((smtp.port, smtp.tls), (465, SmtpTls::Tls));
        assert_eq!(sender(&plan(), "").origin, "shop");
    }
}
