//! Messages on their way out: one HTTP request or one mail each.
//!
//! No secret is in an error, a log or a `Debug` text: an address is named by its host, an answer is quoted without what was
//! secret in the request. Every way has a deadline, and of every answer only the beginning is read.

mod email;
mod http_client;
mod pagerduty;
mod slack;
mod text;
mod webhook;

use std::fmt;
use std::time::Duration;

use wharf_control::alert::{Message, MessageId, Outcome};

use email::Mailer;
pub use http_client::Roots;
use http_client::{Client, Request};

/// How long one message may take, from the name's look-up to the last byte of the answer.
const DEADLINE: Duration = Duration::from_secs(15);

/// PagerDuty's Events API v2.
pub const PAGERDUTY_URL: &str = "https://events.pagerduty.com/v2/enqueue";

/// A text that must not be seen: a key, a password, or an address that is one.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for whom it is meant for.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Somebody who is told, with the values of all secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// What routes call it.
    pub name: String,
    /// In which way.
    pub channel: Channel,
}

/// Ways to tell somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Channel {
    /// An incoming webhook of Slack.
    Slack {
        /// The webhook.
        url: Secret,
        /// The channel; a webhook that is bound to one ignores it.
        channel: String,
    },
    /// PagerDuty's Events API v2.
    Pagerduty {
        /// The integration key.
        key: Secret,
        /// The address; [`PAGERDUTY_URL`] but for tests and relays.
        url: String,
    },
    /// Mail.
    Email {
        /// Whom to.
        to: String,
        /// The server that takes it.
        smtp: Smtp,
    },
    /// An HTTP POST of Alertmanager's JSON.
    Webhook {
        /// Where to.
        url: Secret,
    },
}

/// A mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smtp {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Who the mail is from.
    pub from: String,
    /// Name and password, where it asks for them.
    pub account: Option<(String, Secret)>,
    /// How the connection is protected.
    pub tls: SmtpTls,
}

/// How the connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// Before anything is said: port 587.
    Starttls,
    /// From the first byte: port 465.
    Tls,
    /// Not at all: only to this machine.
    None,
}

/// Who sends, for the texts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sender {
    /// The project, and its environment where it has one: `shop (prod)`. Part of what PagerDuty knows an incident by.
    pub origin: String,
    /// Where people look at alerts.
    pub external_url: String,
}

/// Sends to receivers.
pub struct Dispatcher {
    sender: Sender,
    client: Client,
    receivers: Vec<(Receiver, Option<Result<Mailer, String>>)>,
}

impl fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let receivers = self.receivers.iter().map(|(receiver, _)| receiver);
        f.debug_list().entries(receivers).finish()
    }
}

impl Dispatcher {
    /// Prepares to send. Reads the machine's root certificates: not for a thread that must not wait.
    #[must_use]
    pub fn new(sender: Sender, receivers: Vec<Receiver>, roots: &Roots) -> Self {
        let receivers = receivers.into_iter().map(|receiver| {
            let mailer = match &receiver.channel {
                Channel::Email { to, smtp } => Some(Mailer::new(to, smtp, roots)),
                _ => None,
            };
            (receiver, mailer)
        });
        Self {
            sender,
            client: Client::new(roots),
            receivers: receivers.collect(),
        }
    }

    /// Sends one message.
    pub async fn send(&self, message: &Message, id: MessageId) -> Outcome {
        let mut receivers = self.receivers.iter();
        let Some((receiver, mailer)) = receivers.find(|(r, _)| r.name == message.receiver) else {
            return Outcome::Refused(format!("there is no receiver `{}`", message.receiver));
        };
        let request = match &receiver.channel {
            Channel::Email { .. } => {
                let mailer = match mailer {
                    Some(Ok(mailer)) => mailer,
                    Some(Err(problem)) => return Outcome::Refused(problem.clone()),
                    None => return Outcome::Refused("there is no mail server".to_owned()),
                };
                let sent = mailer.send(&self.sender, message, id);
                return match tokio::time::timeout(DEADLINE, sent).await {
                    Ok(outcome) => outcome,
                    Err(_) => timed_out(),
                };
            }
            Channel::Slack { url, channel } => Request {
                url,
                body: slack::body(&self.sender, channel, message),
                hidden: url,
                id: None,
            },
            Channel::Pagerduty { key, url } => {
                let url = Secret::new(url.as_str());
                let request = Request {
                    url: &url,
                    body: pagerduty::body(&self.sender, key.expose(), message),
                    hidden: key,
                    id: None,
                };
                return self.post(request).await;
            }
            Channel::Webhook { url } => Request {
                url,
                body: webhook::body(&self.sender, message),
                hidden: url,
                id: Some(id),
            },
        };
        self.post(request).await
    }

    async fn post(&self, request: Request<'_>) -> Outcome {
        match tokio::time::timeout(DEADLINE, self.client.post(request)).await {
            Ok(outcome) => outcome,
            Err(_) => timed_out(),
        }
    }
}

fn timed_out() -> Outcome {
    Outcome::Failed(format!("no answer within {} s", DEADLINE.as_secs()))
}

#[cfg(test)]
pub(crate) mod tests;
