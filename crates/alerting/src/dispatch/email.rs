//! Mail: plain text and HTML, over SMTP.

use std::net::IpAddr;

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use wharf_control::alert::{Fingerprint, Message, MessageId, Outcome};
use wharf_signal::Labels;

use super::text::{paragraphs, plain, title};
use super::{DEADLINE, Roots, Sender, Smtp, SmtpTls};

/// A mail server and an address, ready to use.
pub(super) struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    host: String,
    from: Mailbox,
    to: Mailbox,
}

impl Mailer {
    pub(super) fn new(to: &str, smtp: &Smtp, roots: &Roots) -> Result<Self, String> {
        let address = |text: &str| -> Result<Mailbox, String> {
            text.parse()
                .map_err(|_| format!("`{text}` is no mail address"))
        };
        let tls = match smtp.tls {
            SmtpTls::None if !is_loopback(&smtp.host) => {
                return Err(format!(
                    "mail goes to {} only over TLS; set `tls: starttls`, or use a relay on this machine",
                    smtp.host
                ));
            }
            SmtpTls::None => Tls::None,
            SmtpTls::Starttls => Tls::Required(parameters(&smtp.host, roots)?),
            SmtpTls::Tls => Tls::Wrapper(parameters(&smtp.host, roots)?),
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&smtp.host)
            .port(smtp.port)
            .tls(tls)
            .hello_name(ClientId::default())
            .timeout(Some(DEADLINE));
        if let Some((user, password)) = &smtp.account {
            let account = Credentials::new(user.clone(), password.expose().to_owned());
            transport = transport.credentials(account);
        }
        Ok(Self {
            transport: transport.build(),
            host: smtp.host.clone(),
            from: address(&smtp.from)?,
            to: address(to)?,
        })
    }

    pub(super) async fn send(&self, sender: &Sender, message: &Message, id: MessageId) -> Outcome {
        let mail = match self.mail(sender, message, id) {
            Ok(mail) => mail,
            Err(error) => return Outcome::Refused(format!("the mail cannot be written: {error}")),
        };
        match self.transport.send(mail).await {
            Ok(_) => Outcome::Delivered,
            Err(error) if error.is_permanent() => {
                // The code alone: an answer may quote what was sent.
                let code = error
                    .status()
                    .map_or_else(String::new, |code| format!(" with {code}"));
                Outcome::Refused(format!("{} refused the mail{code}", self.host))
            }
            Err(error) if error.is_transient() => {
                let code = error
                    .status()
                    .map_or_else(String::new, |code| format!(" with {code}"));
                Outcome::Failed(format!("{} put the mail off{code}", self.host))
            }
            Err(error) => {
                let why = if error.is_timeout() {
                    "no answer in time"
                } else if error.is_tls() {
                    "TLS failed: is the certificate valid for this name?"
                } else if error.is_client() {
                    "the server offers neither what is asked for: STARTTLS, or a way to sign in"
                } else {
                    "no connection"
                };
                Outcome::Failed(format!("{}: {why}", self.host))
            }
        }
    }

    fn mail(
        &self,
        sender: &Sender,
        message: &Message,
        id: MessageId,
    ) -> Result<lettre::Message, lettre::error::Error> {
        let domain = self.from.email.domain();
        let identity = Labels::from_pairs([
            ("origin", sender.origin.as_str()),
            ("group", &message.group_key),
        ]);
        let mail = lettre::Message::builder()
            .from(self.from.clone())
            .to(self.to.clone())
            .subject(title(sender, message))
            // The same for two tries of the same content, so that a server or a reader can leave one out.
            .message_id(Some(format!("<{id}@{domain}>")))
            // All mails of a group are one conversation.
            .references(format!("<wharf-{}@{domain}>", Fingerprint::of(&identity)))
            // RFC 3834: no answer is wanted from who is on holiday.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        let html = html(sender, message);
        mail.multipart(
            MultiPart::alternative()
                .singlepart(
                    lettre::message::SinglePart::builder()
                        .header(ContentType::TEXT_PLAIN)
                        .body(plain(message)),
                )
                .singlepart(
                    lettre::message::SinglePart::builder()
                        .header(ContentType::TEXT_HTML)
                        .body(html),
                ),
        )
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn parameters(host: &str, roots: &Roots) -> Result<TlsParameters, String> {
    let failed = |error| format!("TLS to {host} cannot be set up: {error}");
    let mut builder = TlsParameters::builder(host.to_owned());
    for extra in &roots.extra {
        builder =
            builder.add_root_certificate(Certificate::from_der(extra.clone()).map_err(failed)?);
    }
    builder.build_rustls().map_err(failed)
}

fn html(sender: &Sender, message: &Message) -> String {
    let (paragraphs, left_out) = paragraphs(message);
    let mut out = format!(
        "<!DOCTYPE html>\n<html><body style=\"font-family: sans-serif\">\n<h2>{}</h2>\n",
        escaped(&title(sender, message))
    );
    for part in paragraphs {
        let text = escaped(&part.text).replace('\n', "<br>");
        out.push_str(&format!(
            "<p><b>{}</b><br>{text}<br><small>{}",
            escaped(&part.head),
            escaped(&part.times)
        ));
        for (name, link) in [("Runbook", &part.runbook), ("Query", &part.link)] {
            if link.starts_with("https://") || link.starts_with("http://") {
                out.push_str(&format!(" <a href=\"{}\">{name}</a>", escaped(link)));
            }
        }
        out.push_str("</small></p>\n");
    }
    if left_out > 0 {
        out.push_str(&format!("<p>And {left_out} more.</p>\n"));
    }
    out.push_str("</body></html>\n");
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
