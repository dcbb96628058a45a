//! Who hears of a failure, and how it is said.

use std::collections::BTreeMap;

use super::{Run, Value};
use crate::model::{Channel, PIPELINE_FAILURE, Plan, SmtpTls};
use crate::template::{Part, Reference, Template};

/// A message to somebody, as a step that says it. `MESSAGE` holds the text.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Who hears of it.
    pub receiver: String,
    /// The step.
    pub run: Run,
}

pub(super) fn messages(plan: &Plan) -> Vec<Message> {
    let Some(pipeline) = &plan.pipeline else {
        return vec![];
    };
    pipeline
        .notify
        .iter()
        .filter_map(|name| {
            let receiver = plan.notify.get(name)?;
            Some(Message {
                receiver: name.to_string(),
                run: say(name.as_str(), &receiver.channel),
            })
        })
        .collect()
}

fn say(name: &str, channel: &Channel) -> Run {
    const POST: &str = "curl --fail --silent --show-error --max-time 20 --retry 3 --header 'Content-Type: application/json' --data @-";
    let (script, environment) = match channel {
        Channel::Slack { channel, url } => (
            format!(
                "jq --null-input --arg text \"$MESSAGE\" '{{channel: \"{channel}\", text: $text}}' \\\n  | {POST} \"$URL\""
            ),
            BTreeMap::from([("URL".to_owned(), value(url))]),
        ),
        Channel::Pagerduty { key, url } => (
            format!(
                "jq --null-input --arg text \"$MESSAGE\" --arg key \"$ROUTING_KEY\" \\\n  '{{routing_key: $key, event_action: \"trigger\", payload: {{summary: $text, source: \"pipeline\", severity: \"{}\"}}}}' \\\n  | {POST} {}",
                PIPELINE_FAILURE.as_str(),
                quoted(
                    url.as_deref()
                        .unwrap_or("https://events.pagerduty.com/v2/enqueue")
                )
            ),
            BTreeMap::from([("ROUTING_KEY".to_owned(), value(key))]),
        ),
        Channel::Email { to, smtp: None } => (
            mail(to, "$SMTP_USER", true, true),
            BTreeMap::from([
                (
                    "SMTP_PASSWORD".to_owned(),
                    Value::Secret("SMTP_PASSWORD".to_owned()),
                ),
                ("SMTP_URL".to_owned(), Value::Setting("SMTP_URL".to_owned())),
                (
                    "SMTP_USER".to_owned(),
                    Value::Setting("SMTP_USER".to_owned()),
                ),
            ]),
        ),
        Channel::Email {
            to,
            smtp: Some(smtp),
        } => {
            let scheme = if smtp.tls == SmtpTls::Tls {
                "smtps"
            } else {
                "smtp"
            };
            let address = format!("{scheme}://{}:{}", smtp.host, smtp.port);
            let mut environment = BTreeMap::from([("SMTP_URL".to_owned(), Value::Text(address))]);
            if let Some((user, password)) = &smtp.account {
                environment.insert("SMTP_USER".to_owned(), Value::Text(user.clone()));
                environment.insert("SMTP_PASSWORD".to_owned(), value(password));
            }
            let script = mail(
                to,
                &smtp.from,
                smtp.account.is_some(),
                smtp.tls != SmtpTls::None,
            );
            (script, environment)
        }
        Channel::Webhook { url } => (
            format!(
                "jq --null-input --arg text \"$MESSAGE\" '{{status: \"firing\", message: $text}}' \\\n  | {POST} \"$URL\""
            ),
            BTreeMap::from([("URL".to_owned(), value(url))]),
        ),
    };
    let mut run = Run::new(format!("Tell {name}"), script);
    run.environment = environment;
    run
}

/// A mail by curl. Addresses are letters, digits and few signs.
fn mail(to: &str, from: &str, signs_in: bool, secured: bool) -> String {
    let secured = if secured { " --ssl-reqd" } else { "" };
    let account = if signs_in {
        "--user \"$SMTP_USER:$SMTP_PASSWORD\" "
    } else {
        ""
    };
    format!(
        "printf 'To: {to}\\nSubject: The pipeline has failed\\n\\n%s\\n' \"$MESSAGE\" \\\n  \
         | curl --fail --silent --show-error --max-time 60{secured} --url \"$SMTP_URL\" \\\n    \
         {account}--mail-from \"{from}\" --mail-rcpt '{to}' --upload-file -"
    )
}

/// A word of the shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || ":/._-".contains(c);
    if word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// A text, or the one secret that it is; a secret within a text is the secret of the whole.
fn value(template: &Template) -> Value {
    let secret = template.references().find_map(|reference| match reference {
        Reference::Secret(name) => Some(name.as_str()),
        Reference::Env { name, .. } => Some(name.as_str()),
        _ => None,
    });
    match secret {
        Some(name) => Value::Secret(name.replace('-', "_").to_ascii_uppercase()),
        None => Value::Text(
            template
                .parts
                .iter()
                .map(|part| match part {
                    Part::Text(text) => text.as_str(),
                    Part::Reference(_) => "",
                })
                .collect(),
        ),
    }
}
