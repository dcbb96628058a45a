//! What messages say, in each way they go: the bodies of docs/alerting.md.

use serde_json::Value;

use super::people::{PAGER_KEY, People, WEBHOOK};

/// Checks the first and the last message of an alert of the service `api`.
#[track_caller]
pub(super) fn worded_as_documented(people: &People, url: &str, alert: &str, severity: &str) {
    let bodies = |path: &str| -> Vec<Value> {
        let posted = people.posted(path, alert);
        let bodies = posted.iter().map(|one| serde_json::from_str(&one.body));
        bodies.collect::<Result<_, _>>().unwrap()
    };
    let title = format!("[{}] {alert} in items: api", severity.to_uppercase());
    let over = format!("[RESOLVED] {alert} in items: api");

    let hook = bodies(WEBHOOK);
    let (first, last) = (&hook[0], &hook[hook.len() - 1]);
    assert_eq!(first["version"], "4");
    assert_eq!(first["truncatedAlerts"], 0);
    assert_eq!(first["status"], "firing");
    assert_eq!(first["receiver"], "hook");
    assert_eq!(first["groupLabels"]["alertname"], alert);
    assert_eq!(first["groupLabels"]["service"], "api");
    assert_eq!(first["commonLabels"]["severity"], severity);
    assert_eq!(first["commonLabels"]["project"], "items");
    assert_eq!(first["externalURL"], url);
    let key = first["groupKey"].as_str().unwrap();
    assert!(key.contains(&format!("alertname=\"{alert}\"")), "{key}");
    let told = &first["alerts"][0];
    assert_eq!(told["status"], "firing");
    assert_eq!(told["labels"], first["commonLabels"]);
    assert_eq!(told["annotations"], first["commonAnnotations"]);
    assert_eq!(told["endsAt"], "0001-01-01T00:00:00Z");
    let summary = told["annotations"]["summary"].as_str().unwrap();
    assert!(summary.contains("api"), "{summary}");
    let graph = told["generatorURL"].as_str().unwrap();
    assert!(graph.starts_with(&format!("{url}/graph?")), "{graph}");
    assert_eq!(told["fingerprint"].as_str().unwrap().len(), 16);
    let ended = &last["alerts"][0];
    assert_eq!(
        (&last["status"], &ended["status"]),
        (&"resolved".into(), &"resolved".into())
    );
    assert_eq!(ended["startsAt"], told["startsAt"]);
    assert!(
        ended["endsAt"].as_str() > told["startsAt"].as_str(),
        "{ended}"
    );

    let slack = bodies("/services/");
    assert_eq!(slack[0]["channel"], "#alerts");
    let attachment = &slack[0]["attachments"][0];
    assert_eq!(attachment["title"], title);
    assert_eq!(attachment["fallback"], title);
    assert_eq!(attachment["title_link"], url);
    assert_eq!(
        attachment["color"],
        if severity == "critical" {
            "danger"
        } else {
            "warning"
        }
    );
    assert!(
        attachment["text"].as_str().unwrap().contains(summary),
        "{attachment}"
    );
    let attachment = &slack[slack.len() - 1]["attachments"][0];
    assert_eq!(attachment["color"], "good");
    assert_eq!(attachment["title"], over);

    let pager = bodies("/v2/");
    let (first, last) = (&pager[0], &pager[pager.len() - 1]);
    assert_eq!(first["routing_key"], PAGER_KEY);
    assert_eq!(
        (&first["event_action"], &last["event_action"]),
        (&"trigger".into(), &"resolve".into())
    );
    assert_eq!(first["dedup_key"], last["dedup_key"]);
    assert_eq!(first["payload"]["summary"], title);
    assert_eq!(first["payload"]["severity"], severity);
    assert_eq!(first["payload"]["source"], "items");
    assert_eq!(first["payload"]["component"], "api");

    let mails = people.mailed(alert);
    let (first, last) = (&mails[0], &mails[mails.len() - 1]);
    assert_eq!(
        (first.from.as_str(), first.to.as_str()),
        ("wharf@example.com", "ops@example.com")
    );
    assert_eq!(first.header("subject"), Some(title));
    assert_eq!(last.header("subject"), Some(over));
    assert_eq!(first.header("references"), last.header("references"));
    assert!(first.header("references").is_some());
    assert_eq!(
        first.header("auto-submitted").as_deref(),
        Some("auto-generated")
    );
    let kind = first.header("content-type").unwrap();
    assert!(kind.starts_with("multipart/alternative"), "{kind}");
    for part in ["text/plain", "text/html", summary] {
        assert!(first.body().contains(part), "{part}: {}", first.body());
    }
    assert!(last.body().contains("Resolved: "), "{}", last.body());
}
