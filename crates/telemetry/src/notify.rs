//! Who is told of alerts: the manager of notifications, its state on disk, its configuration from a plan's.

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
        saved
    });
    let (manager, handle) = Manager::new(manager::Config::default(), saved, save, clock::now);
    (handle, tokio::spawn(manager.run()))
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
