//! Who is told of alerts: the manager of notifications, its state on disk, its configuration from a plan's.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use tokio::task::JoinHandle;
use wharf_alerting::dispatch::{Dispatcher, Receiver, Roots, Sender};
use wharf_alerting::manager::{self, Handle, Manager};
use wharf_alerting::store::Store;
use wharf_base::clock;
use wharf_control::alert::{Notifier, Policy};

use crate::health;
use crate::stores::chain;

/// Receivers whose problems are told: as many as a person reads in one line.
const PROBLEMS_MAX: usize = 4;

/// Who hears of what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notifications {
    /// Who sends, for the texts of messages.
    pub sender: Sender,
    /// Receivers with the values of their secrets.
    pub receivers: Vec<Receiver>,
    /// Which alerts reach them, how often, and what is kept back.
    pub policy: Policy,
    /// Why receivers of the file cannot be told, a sentence each.
    pub unusable: Vec<String>,
}

/// Starts the manager of notifications; it ends when the last handle is gone.
pub(crate) fn start(dir: &Path, health: &health::Shared) -> (Handle, JoinHandle<()>) {
    let path = dir.join("notifications.json");
    let saved = match Store::<Notifier>::at(&path).load() {
        Ok(saved) => saved,
        Err(error) => {
            let aside = path.with_extension("corrupt");
            // What cannot be read is kept for whoever wants to look at it.
            drop(std::fs::rename(&path, &aside));
            health.recovered(vec![format!(
                "who knows of which alert was set aside, everybody is told again: {}",
                chain(&error)
            )]);
            None
        }
    };
    let troubled = health.clone();
    let save = Box::new(move |notifier: &Notifier| {
        let saved = Store::at(&path)
            .save(notifier)
            .map_err(|error| chain(&error));
        troubled.trouble("notifications", saved.clone().err());
        troubled.trouble("messages", untold(notifier));
        saved
    });
    let (manager, handle) = Manager::new(saved, save, clock::now);
    (handle, tokio::spawn(manager.run()))
}

/// What kept the last message from receivers, a sentence each; of more than a few it says how many there are.
fn untold(notifier: &Notifier) -> Option<String> {
    let problems: BTreeSet<String> = notifier
        .groups()
        .filter_map(|group| {
            let problem = group.problem.as_ref()?;
            let receiver = &group.receiver;
            Some(format!(
                "notify.{receiver} was not told, and is tried again: {problem}"
            ))
        })
        .collect();
    let mut said: Vec<String> = problems.iter().take(PROBLEMS_MAX).cloned().collect();
    let more = problems.len().saturating_sub(said.len());
    if more > 0 {
        said.push(format!("and {more} more"));
    }
    (!said.is_empty()).then(|| said.join("; "))
}

/// The manager's configuration.
pub(crate) fn config(notifications: &Notifications) -> manager::Config {
    let dispatcher = Dispatcher::new(
        notifications.sender.clone(),
        notifications.receivers.clone(),
        &Roots::default(),
    );
    manager::Config {
        policy: notifications.policy.clone(),
        dispatcher: Some(dispatcher),
    }
}

/// How long the manager may take to end.
pub(crate) const STOP_TIMEOUT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use wharf_base::clock::Timestamp;
    use wharf_control::alert::{Alert, Outcome, Route, Timing};
    use wharf_signal::Labels;

    use super::*;

    #[test]
    fn who_was_not_told_is_named() {
        let route = |receiver: &str| Route {
            receiver: receiver.to_owned(),
            matchers: vec![],
            group_by: vec!["alertname".to_owned()],
            timing: Timing {
                group_wait: Duration::ZERO,
                group_interval: Duration::ZERO,
                repeat_interval: Duration::from_secs(3600),
            },
            send_resolved: true,
        };
        let policy = Policy {
            routes: vec![route("ops"), route("chat")],
            inhibitions: vec![],
        };
        let firing = ["Down", "Slow"].map(|name| Alert {
            labels: Labels::from_pairs([("alertname", name)]),
            annotations: Default::default(),
            starts_at: Timestamp(1),
            ends_at: None,
            generator_url: String::new(),
        });
        let (mut notifier, now) = (Notifier::default(), Timestamp(1_000_000));
        notifier.observe(&policy, "rules", firing.to_vec(), now);
        assert_eq!(untold(&notifier), None);
        for message in notifier.plan(&policy, now).messages {
            notifier.begin(&message);
            let outcome = match message.receiver.as_str() {
                "ops" => Outcome::Failed("mx.example.com: no connection".to_owned()),
                _ => Outcome::Delivered,
            };
            notifier.finish(&policy, &message.group, &outcome, now);
        }
        // Once, although two groups wait for it.
        assert_eq!(
            untold(&notifier).as_deref(),
            Some("notify.ops was not told, and is tried again: mx.example.com: no connection")
        );
    }
}
