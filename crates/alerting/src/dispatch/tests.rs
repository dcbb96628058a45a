//! Every way out, against servers of its own: HTTP sinks, and a mail server with STARTTLS and a password.

mod sinks;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wharf_base::clock::Timestamp;
use wharf_control::alert::Alert;
use wharf_signal::Labels;

use super::*;
pub(crate) use sinks::{HttpSink, MailSink, MailTls, Taken};

/// What the tests sign their mail in with, and what must be seen nowhere.
const SECRET: &str = "s3cr3t-key";

fn alert(service: &str, resolved: bool) -> Alert {
    let annotation = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    Alert {
        labels: Labels::from_pairs([
            ("alertname", "ServiceDown"),
            ("namespace", "shop"),
            ("service", service),
            ("severity", "critical"),
        ]),
        annotations: BTreeMap::from([
            annotation("summary", &format!("{service} is <down> & out")),
            annotation("description", "Look at its last log lines."),
            annotation("runbook_url", "https://runbooks.example.com/ServiceDown"),
        ]),
        starts_at: Timestamp(1_700_000_000_123),
        ends_at: resolved.then_some(Timestamp(1_700_000_300_000)),
        generator_url: "http://127.0.0.1:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1".to_owned(),
    }
}

fn message(receiver: &str, firing: &[&str], resolved: &[&str]) -> Message {
    Message {
        group: format!("{receiver} group"),
        receiver: receiver.to_owned(),
        group_key: "{}/{severity=\"critical\"}:{alertname=\"ServiceDown\"}".to_owned(),
        group_labels: Labels::from_pairs([("alertname", "ServiceDown")]),
        firing: firing.iter().map(|service| alert(service, false)).collect(),
        resolved: resolved
            .iter()
            .map(|service| alert(service, true))
            .collect(),
    }
}

fn sender() -> Sender {
    Sender {
        origin: "shop (prod)".to_owned(),
        external_url: "http://127.0.0.1:9090".to_owned(),
    }
}

fn dispatcher(channel: Channel, roots: &Roots) -> Dispatcher {
    let receiver = Receiver {
        name: "ops".to_owned(),
        channel,
    };
    Dispatcher::new(sender(), vec![receiver], roots)
}

const ID: MessageId = MessageId(0xab);

#[tokio::test]
async fn a_webhook_gets_alertmanagers_body() {
    let sink = HttpSink::start(200, "").await;
    let url = Secret::new(format!("{}/hook?token={SECRET}", sink.url));
    let dispatcher = dispatcher(Channel::Webhook { url }, &Roots::default());
    let outcome = dispatcher
        .send(&message("ops", &["web"], &["api"]), ID)
        .await;
    assert_eq!(outcome, Outcome::Delivered);
    let request = sink.taken().remove(0);
    assert_eq!(request.line, format!("POST /hook?token={SECRET} HTTP/1.1"));
    assert_eq!(
        request.header("idempotency-key"),
        Some("\"00000000000000ab\"")
    );
    assert_eq!(request.header("content-type"), Some("application/json"));
    let web = Labels::from_pairs([
        ("alertname", "ServiceDown"),
        ("namespace", "shop"),
        ("service", "web"),
        ("severity", "critical"),
    ]);
    let fingerprint = wharf_control::alert::Fingerprint::of(&web).to_string();
    let mut body = request.json();
    let resolved = body["alerts"].as_array_mut().unwrap().pop().unwrap();
    assert_eq!(
        (resolved["status"].as_str(), resolved["endsAt"].as_str()),
        (Some("resolved"), Some("2023-11-14T22:18:20.000Z"))
    );
    assert_eq!(
        body,
        json!({
            "version": "4",
            "groupKey": "{}/{severity=\"critical\"}:{alertname=\"ServiceDown\"}",
            "truncatedAlerts": 0,
            "status": "firing",
            "receiver": "ops",
            "groupLabels": { "alertname": "ServiceDown" },
            "commonLabels": { "alertname": "ServiceDown", "namespace": "shop", "severity": "critical" },
            "commonAnnotations": {
                "description": "Look at its last log lines.",
                "runbook_url": "https://runbooks.example.com/ServiceDown",
            },
            "externalURL": "http://127.0.0.1:9090",
            "alerts": [{
                "status": "firing",
                "labels": { "alertname": "ServiceDown", "namespace": "shop", "service": "web", "severity": "critical" },
                "annotations": {
                    "summary": "web is <down> & out",
                    "description": "Look at its last log lines.",
                    "runbook_url": "https://runbooks.example.com/ServiceDown",
                },
                "startsAt": "2023-11-14T22:13:20.123Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "http://127.0.0.1:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1",
                "fingerprint": fingerprint,
            }],
        })
    );
}

#[tokio::test]
async fn slack_gets_an_attachment() {
    let sink = HttpSink::start(200, "ok").await;
    let url = Secret::new(format!("{}/services/T0/B0/{SECRET}", sink.url));
    let channel = "#alerts".to_owned();
    let dispatcher = dispatcher(Channel::Slack { url, channel }, &Roots::default());
    dispatcher.send(&message("ops", &["web"], &[]), ID).await;
    dispatcher.send(&message("ops", &[], &["web"]), ID).await;
    let taken = sink.taken();
    assert_eq!(
        taken[0].json(),
        json!({
            "channel": "#alerts",
            "username": "wharf",
            "attachments": [{
                "color": "danger",
                "title": "[CRITICAL] ServiceDown in shop (prod): web",
                "title_link": "http://127.0.0.1:9090",
                "fallback": "[CRITICAL] ServiceDown in shop (prod): web",
                "text": "*web is &lt;down&gt; &amp; out*\nLook at its last log lines.\nSince 2023-11-14 22:13:20 UTC. \
                    <https://runbooks.example.com/ServiceDown|Runbook> <http://127.0.0.1:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1|Query>",
                "mrkdwn_in": ["text"],
            }],
        })
    );
    let over = taken[1].json();
    assert_eq!(over["attachments"][0]["color"], "good");
    assert_eq!(
        over["attachments"][0]["title"],
        "[RESOLVED] ServiceDown in shop (prod): web"
    );
}

#[tokio::test]
async fn pagerduty_gets_one_incident_a_group() {
    let sink = HttpSink::start(202, r#"{"status":"success"}"#).await;
    let channel = Channel::Pagerduty {
        key: Secret::new(SECRET),
        url: format!("{}/v2/enqueue", sink.url),
    };
    let dispatcher = dispatcher(channel, &Roots::default());
    let outcome = dispatcher
        .send(&message("ops", &["web", "api"], &[]), ID)
        .await;
    assert_eq!(outcome, Outcome::Delivered);
    dispatcher
        .send(&message("ops", &[], &["web", "api"]), MessageId(2))
        .await;
    let events: Vec<Value> = sink.taken().iter().map(sinks::Taken::json).collect();
    let mut first = events[0].clone();
    let details = first["payload"]["custom_details"]["alerts"].take();
    assert!(
        details
            .as_str()
            .unwrap()
            .starts_with("web is <down> & out\nLook at")
    );
    let key = first["dedup_key"].take();
    assert!(key.as_str().is_some_and(|key| key.len() == 22), "{key}");
    assert_eq!(
        first,
        json!({
            "routing_key": SECRET,
            "dedup_key": null,
            "event_action": "trigger",
            "client": "wharf",
            "client_url": "http://127.0.0.1:9090",
            "payload": {
                "summary": "[CRITICAL] ServiceDown in shop (prod) (2 alerts)",
                "source": "shop (prod)",
                "severity": "critical",
                "timestamp": "2023-11-14T22:13:20.123Z",
                "component": "web",
                "group": "shop",
                "class": "ServiceDown",
                "custom_details": { "alerts": null, "num_firing": 2, "num_resolved": 0 },
            },
        })
    );
    assert_eq!(events[1]["event_action"], "resolve");
    assert_eq!(events[1]["dedup_key"], key);
}

fn smtp(sink: &MailSink, tls: SmtpTls, password: Option<&str>) -> Channel {
    Channel::Email {
        to: "ops@example.com".to_owned(),
        smtp: Smtp {
            host: "localhost".to_owned(),
            port: sink.port,
            from: "Wharf <wharf@example.com>".to_owned(),
            account: password.map(|password| ("shop".to_owned(), Secret::new(password))),
            tls,
        },
    }
}

#[tokio::test]
async fn mail_goes_over_starttls_and_over_tls_with_a_password() {
    for (offered, used) in [
        (MailTls::Starttls, SmtpTls::Starttls),
        (MailTls::Wrapped, SmtpTls::Tls),
    ] {
        let sink = MailSink::start(offered, Some(SECRET)).await;
        let roots = Roots {
            extra: vec![sink.root.clone()],
        };
        let dispatcher = dispatcher(smtp(&sink, used, Some(SECRET)), &roots);
        let outcome = dispatcher.send(&message("ops", &["web"], &[]), ID).await;
        assert_eq!(outcome, Outcome::Delivered);
        let mail = sink.taken().remove(0);
        assert_eq!(
            (mail.from.as_str(), mail.to.as_str()),
            ("wharf@example.com", "ops@example.com")
        );
        assert!(mail.secured && mail.signed_in, "{mail:?}");
        for expected in [
            "Subject: [CRITICAL] ServiceDown in shop (prod): web\r\n",
            "To: ops@example.com\r\n",
            "Message-ID: <00000000000000ab@example.com>\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "Content-Type: multipart/alternative",
            "Content-Type: text/plain; charset=utf-8",
            "web is <down> & out\r\nLook at its last log lines.\r\nSince 2023-11-14 22:13:20 UTC.\r\n",
            "Content-Type: text/html; charset=utf-8",
            "<b>web is &lt;down&gt; &amp; out</b>",
        ] {
            let text = mail.text.replace("=\r\n", "").replace("=3D", "=");
            assert!(text.contains(expected), "{expected}\n{}", mail.text);
        }
    }
}

#[tokio::test]
async fn mail_goes_without_tls_to_this_machine_only() {
    let sink = MailSink::start(MailTls::None, None).await;
    let on_loopback = dispatcher(smtp(&sink, SmtpTls::None, None), &Roots::default());
    let outcome = on_loopback.send(&message("ops", &[], &["web"]), ID).await;
    assert_eq!(outcome, Outcome::Delivered);
    assert!(
        sink.taken()[0]
            .text
            .contains("Subject: [RESOLVED] ServiceDown in shop (prod): web")
    );
    let mut elsewhere = smtp(&sink, SmtpTls::None, None);
    if let Channel::Email { smtp, .. } = &mut elsewhere {
        smtp.host = "mail.example.com".to_owned();
    }
    let refused = dispatcher(elsewhere, &Roots::default())
        .send(&message("ops", &["web"], &[]), ID)
        .await;
    assert!(
        matches!(&refused, Outcome::Refused(why) if why.contains("only over TLS")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn mail_that_cannot_be_protected_stays_here() {
    // A server that offers no STARTTLS, or whose certificate nobody vouches for, gets neither mail nor password.
    let plain = MailSink::start(MailTls::None, Some(SECRET)).await;
    let outcome = dispatcher(
        smtp(&plain, SmtpTls::Starttls, Some(SECRET)),
        &Roots::default(),
    )
    .send(&message("ops", &["web"], &[]), ID)
    .await;
    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
    let unknown = MailSink::start(MailTls::Starttls, Some(SECRET)).await;
    let outcome = dispatcher(
        smtp(&unknown, SmtpTls::Starttls, Some(SECRET)),
        &Roots::default(),
    )
    .send(&message("ops", &["web"], &[]), ID)
    .await;
    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
    assert!(plain.taken().is_empty() && unknown.taken().is_empty());
    // A wrong password is refused, and not shown.
    let strict = MailSink::start(MailTls::Starttls, Some("another")).await;
    let roots = Roots {
        extra: vec![strict.root.clone()],
    };
    let outcome = dispatcher(smtp(&strict, SmtpTls::Starttls, Some(SECRET)), &roots)
        .send(&message("ops", &["web"], &[]), ID)
        .await;
    assert_eq!(
        outcome,
        Outcome::Refused("localhost refused the mail with 535".to_owned())
    );
}

#[tokio::test]
async fn answers_are_judged_and_no_secret_is_shown() {
    for (status, answer, expected) in [
        (500, "oops", Outcome::Failed("127.0.0.1 answered 500 Internal Server Error: oops".to_owned())),
        (429, "", Outcome::Failed("127.0.0.1 answered 429 Too Many Requests".to_owned())),
        (404, "no_service", Outcome::Refused("127.0.0.1 answered 404 Not Found: no_service".to_owned())),
        (403, SECRET, Outcome::Refused("127.0.0.1 answered 403 Forbidden".to_owned())),
        (400, "bad\u{1b}[2J", Outcome::Refused("127.0.0.1 answered 400 Bad Request: bad\\u{1b}[2J".to_owned())),
        (
            302,
            "",
            Outcome::Refused(
                "127.0.0.1 answered 302 Found; redirects are not followed, use the address it points to".to_owned(),
            ),
        ),
    ] {
        let sink = HttpSink::start(status, answer).await;
        let url = Secret::new(format!("{}/{SECRET}", sink.url));
        let dispatcher = dispatcher(Channel::Webhook { url }, &Roots::default());
        let outcome = dispatcher.send(&message("ops", &["web"], &[]), ID).await;
        assert_eq!(outcome, expected);
        assert!(!format!("{dispatcher:?}").contains(SECRET));
    }
    let down = HttpSink::start(200, "").await;
    let url = Secret::new(format!("{}/{SECRET}", down.url));
    drop(down);
    for url in [
        url,
        Secret::new(format!("http://127.0.0.1:1/{SECRET}")),
        Secret::new(format!("ftp://{SECRET}/")),
        Secret::new(SECRET),
    ] {
        let outcome = dispatcher(Channel::Webhook { url }, &Roots::default())
            .send(&message("ops", &["web"], &[]), ID)
            .await;
        let (Outcome::Failed(why) | Outcome::Refused(why)) = &outcome else {
            panic!("{outcome:?}");
        };
        assert!(!why.contains(SECRET), "{why}");
    }
    let nobody = dispatcher(
        Channel::Webhook {
            url: Secret::new("http://127.0.0.1:1/"),
        },
        &Roots::default(),
    );
    let outcome = nobody.send(&message("else", &["web"], &[]), ID).await;
    assert_eq!(
        outcome,
        Outcome::Refused("there is no receiver `else`".to_owned())
    );
}

#[tokio::test]
async fn https_is_spoken_to_who_is_vouched_for() {
    let sink = HttpSink::start_tls(200, "").await;
    let url = || Secret::new(format!("{}/hook", sink.url));
    let roots = Roots {
        extra: vec![sink.root.clone()],
    };
    let trusted = dispatcher(Channel::Webhook { url: url() }, &roots);
    let outcome = trusted.send(&message("ops", &["web"], &[]), ID).await;
    assert_eq!(outcome, Outcome::Delivered);
    let stranger = dispatcher(Channel::Webhook { url: url() }, &Roots::default());
    let outcome = stranger.send(&message("ops", &["web"], &[]), ID).await;
    assert!(
        matches!(&outcome, Outcome::Failed(why) if why.starts_with("localhost: no TLS")),
        "{outcome:?}"
    );
    assert_eq!(sink.taken().len(), 1);
}

#[test]
fn long_messages_are_cut() {
    let services: Vec<String> = (0..600).map(|n| format!("s{n}")).collect();
    let names: Vec<&str> = services.iter().map(String::as_str).collect();
    let long = message("ops", &names, &[]);
    let body = webhook::body(&sender(), &long);
    assert_eq!(body["alerts"].as_array().map(Vec::len), Some(500));
    assert_eq!(body["truncatedAlerts"], 100);
    let slack = slack::body(&sender(), "", &long);
    assert!(
        slack["attachments"][0]["text"]
            .as_str()
            .unwrap()
            .chars()
            .count()
            <= 3000
    );
    assert!(text::plain(&long).ends_with("And 580 more.\n"));
}
