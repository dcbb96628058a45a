//! `notify`: who hears of alerts and of failed pipelines.

use std::collections::BTreeMap;

use wharf_base::ids::Name;
use wharf_spec::diagnostic::{Code, Diagnostic};
use wharf_spec::model as spec;
use wharf_spec::span::{Span, Spanned};

use super::Resolver;
use super::services::suggested;
use crate::model::{Channel, Receiver, Severity, Smtp, SmtpTls};
use crate::template::{Reference, Template};

impl Resolver<'_> {
    /// Reports names that `notify` does not have.
    pub(super) fn check_receivers(&mut self, names: &[Spanned<Name>]) {
        for name in names {
            let known = match self.spec.notify.value() {
                Some(table) => table.mentions(name.value.as_str()),
                None => !self.spec.notify.is_absent(),
            };
            if known || self.findings.is_full() {
                continue;
            }
            let spec = self.spec;
            let keys = spec
                .notify
                .value()
                .into_iter()
                .flat_map(|table| table.keys());
            let message = format!("there is no receiver `{}` in `notify`", name.value);
            let diagnostic = Diagnostic::error(Code::UNKNOWN_NAME, name.span.clone(), message);
            self.report(suggested(diagnostic, name.value.as_str(), keys));
        }
    }

    pub(super) fn receivers(&mut self) -> BTreeMap<Name, Receiver> {
        let spec = self.spec;
        let entries = spec
            .notify
            .value()
            .map(|table| table.entries.as_slice())
            .unwrap_or_default();
        let mut receivers = BTreeMap::new();
        for entry in entries {
            let Some(typed) = &entry.value else { continue };
            let Some(channel) = self.channel(&typed.value, &entry.key.span) else {
                continue;
            };
            let severities = match typed.value.severities.value() {
                Some(list) => {
                    let mut severities: Vec<Severity> = list
                        .0
                        .iter()
                        .map(|severity| severity_of(severity.value))
                        .collect();
                    severities.sort_unstable();
                    severities.dedup();
                    severities
                }
                None => vec![Severity::Critical, Severity::Warning, Severity::Info],
            };
            receivers.insert(
                entry.key.value.clone(),
                Receiver {
                    channel,
                    severities,
                },
            );
        }
        receivers
    }

    fn channel(&mut self, typed: &spec::Receiver, key: &Span) -> Option<Channel> {
        let ways: Vec<(&str, &Span)> = [
            ("slack", typed.slack.key_span()),
            ("pagerduty", typed.pagerduty.key_span()),
            ("email", typed.email.key_span()),
            ("webhook", typed.webhook.key_span()),
        ]
        .into_iter()
        .filter_map(|(word, span)| Some((word, span?)))
        .collect();
        match ways.as_slice() {
            [] => {
                let message =
                    "nobody can be told: expected `slack`, `pagerduty`, `email` or `webhook`";
                self.report(Diagnostic::error(Code::MISSING_KEY, key.clone(), message));
                return None;
            }
            [_] => {}
            [(first, span), (second, other), ..] => {
                let message = format!("`{first}` and `{second}` exclude each other");
                self.report(
                    Diagnostic::error(Code::EXCLUSIVE, (*other).clone(), message)
                        .related((*span).clone(), "the other one")
                        .help("make two receivers of them"),
                );
                return None;
            }
        }
        let has_url = !typed.slack.is_absent() || !typed.pagerduty.is_absent();
        if let (Some(url), false) = (typed.url.key_span(), has_url) {
            let message = "`url` is Slack's webhook, or another address of PagerDuty's events";
            self.report(
                Diagnostic::error(Code::NOT_HERE, url.clone(), message)
                    .help("for another address: `webhook: https://…`"),
            );
        }
        if let (Some(smtp), true) = (typed.smtp.key_span(), typed.email.is_absent()) {
            let message = "`smtp` is the server of an `email`";
            self.report(Diagnostic::error(Code::NOT_HERE, smtp.clone(), message));
        }
        if let Some(channel) = typed.slack.get() {
            if typed.url.is_absent() {
                let message = "Slack is told by a webhook";
                self.report(
                    Diagnostic::error(Code::MISSING_KEY, channel.span.clone(), message)
                        .help("add `url: ${secret.slack-webhook}`, and the secret to `secrets`"),
                );
            }
            return Some(Channel::Slack {
                channel: channel.value.0.clone(),
                url: self.secret_text(typed.url.get()?, true)?,
            });
        }
        if let Some(pagerduty) = typed.pagerduty.get() {
            if let Some(url) = typed.url.get() {
                self.no_references(
                    url,
                    "the address is no secret",
                    "write it as it is; the key is what `pagerduty` takes from a secret",
                );
                self.check_web_address(url);
            }
            return Some(Channel::Pagerduty {
                key: self.secret_text(pagerduty, true)?,
                url: typed.url.value().cloned(),
            });
        }
        if let Some(email) = typed.email.value() {
            let smtp = match typed.smtp.value() {
                Some(smtp) => Some(self.smtp(smtp)?),
                None => None,
            };
            return Some(Channel::Email {
                to: email.0.clone(),
                smtp,
            });
        }
        let webhook = typed.webhook.get()?;
        let url = self.secret_text(webhook, false)?;
        if url.references().next().is_none() {
            self.check_web_address(webhook);
        }
        Some(Channel::Webhook { url })
    }

    pub(super) fn check_web_address(&mut self, url: &Spanned<String>) {
        if !url.value.starts_with("https://") && !url.value.starts_with("http://") {
            let message = "expected a URL that begins with https://";
            self.report(Diagnostic::error(
                Code::BAD_VALUE,
                url.span.clone(),
                message,
            ));
        }
    }

    fn smtp(&mut self, typed: &spec::Smtp) -> Option<Smtp> {
        let tls = match typed.tls.value() {
            None | Some(spec::SmtpTls::Starttls) => SmtpTls::Starttls,
            Some(spec::SmtpTls::Tls) => SmtpTls::Tls,
            Some(spec::SmtpTls::None) => SmtpTls::None,
        };
        for (word, key, other, missing) in [
            (
                "user",
                typed.user.key_span(),
                "password",
                typed.password.is_absent(),
            ),
            (
                "password",
                typed.password.key_span(),
                "user",
                typed.user.is_absent(),
            ),
        ] {
            if let (Some(key), true) = (key, missing) {
                let message = format!("`{word}` needs `{other}` beside it");
                self.report(Diagnostic::error(Code::MISSING_KEY, key.clone(), message));
                return None;
            }
        }
        let host = typed.host.get()?;
        if tls == SmtpTls::None && !is_loopback(&host.value.0) {
            let message = "without TLS, mail and password can be read on their way";
            self.report(
                Diagnostic::error(Code::BAD_VALUE, host.span.clone(), message)
                    .help("say `tls: starttls`; `none` is for a server on this machine"),
            );
        }
        let account = match (typed.user.value(), typed.password.get()) {
            (Some(user), Some(password)) => {
                Some((user.0.clone(), self.secret_text(password, true)?))
            }
            _ => None,
        };
        Some(Smtp {
            host: host.value.0.clone(),
            port: typed.port.value().map_or(
                match tls {
                    SmtpTls::Starttls => 587,
                    SmtpTls::Tls => 465,
                    SmtpTls::None => 25,
                },
                |port| port.0,
            ),
            from: typed.from.value()?.0.clone(),
            account,
            tls,
        })
    }

    /// A text that may refer to secrets and to nothing else; it has to, where what it says is one.
    pub(super) fn secret_text(
        &mut self,
        text: &Spanned<String>,
        is_secret: bool,
    ) -> Option<Template> {
        let template = self.template(text);
        let foreign = template
            .references()
            .find(|reference| !matches!(reference, Reference::Secret(_)));
        if let Some(foreign) = foreign {
            let message = format!(
                "`{}` is not known to the telemetry; only `${{secret.NAME}}` is",
                wharf_spec::diagnostic::excerpt(&foreign.to_string())
            );
            self.report(Diagnostic::error(
                Code::BAD_REFERENCE,
                text.span.clone(),
                message,
            ));
            return None;
        }
        self.check_references(text, &template, &[]);
        let bad = text.value.is_empty()
            || text
                .value
                .chars()
                .any(|c| c.is_control() || c.is_whitespace());
        if bad || template.parts.is_empty() {
            let message = "expected one word, such as `${secret.slack-webhook}`";
            self.report(Diagnostic::error(
                Code::BAD_VALUE,
                text.span.clone(),
                message,
            ));
            return None;
        }
        if is_secret && template.references().next().is_none() {
            let message = "a secret stands in the file";
            self.report(
                Diagnostic::error(Code::PASSWORD, text.span.clone(), message)
                    .help("name it under `secrets`, and write `${secret.NAME}` here"),
            );
            return None;
        }
        Some(template)
    }
}

fn is_loopback(host: &str) -> bool {
    let ip = host.parse::<std::net::IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}

/// A severity as the plan has it.
pub(super) fn severity_of(typed: spec::Severity) -> Severity {
    match typed {
        spec::Severity::Critical => Severity::Critical,
        spec::Severity::Warning => Severity::Warning,
        spec::Severity::Info => Severity::Info,
    }
}
