//! Owns who knows what of which alert, and tells whom it has to.
//!
//! One loop, one owner: everything that happens comes as an event, and is answered in its turn. A message is written down before
//! it goes out, and again when it is known what came of it, so that a restart changes nothing.
//!
//! Until it has a configuration it does not know who is to be told: it sends nothing, forgets nothing of what was saved, and leaves
//! what it is told of alerts to the next evaluation, which tells all of it again.

mod snapshot;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{Id, JoinSet};
use wharf_base::clock::Timestamp;
use wharf_control::alert::{Alert, Decision, Notifier, Outcome, Policy, Silence, SilenceError};

use crate::dispatch::Dispatcher;
pub use snapshot::{AlertStatus, Snapshot};

/// Events that wait. Whoever evaluates rules waits when it is full.
const EVENTS_MAX: usize = 64;

/// Messages that are on their way at once.
const SENDING_MAX: usize = 16;

/// Messages that are on their way to one receiver: one that hangs holds up nobody else.
const SENDING_TO_ONE_MAX: usize = 4;

/// At least so often the state is looked at, should the clock have been set.
const LOOK_AT_LEAST: Duration = Duration::from_secs(30);

/// How long messages may still take when it ends; what has not arrived is told after the next start.
const LAST_MESSAGES: Duration = Duration::from_secs(3);

/// Writes the state down; called off the loop's thread, in order. An error is one sentence.
pub type Save = Box<dyn FnMut(&Notifier) -> Result<(), String> + Send>;

/// Who is told of what, and how.
#[derive(Debug, Default)]
pub struct Config {
    /// Routes and inhibitions.
    pub policy: Policy,
    /// The receivers of the routes; none: nobody is told.
    pub dispatcher: Option<Dispatcher>,
}

enum Event {
    Observe {
        source: String,
        firing: Vec<Alert>,
    },
    Reconfigure {
        config: Box<Config>,
        sources: Vec<String>,
    },
    Silence {
        silence: Box<Silence>,
        answer: oneshot::Sender<Result<String, SilenceError>>,
    },
    Unsilence {
        id: String,
        answer: oneshot::Sender<Result<(), SilenceError>>,
    },
    Look(oneshot::Sender<Snapshot>),
}

/// The manager is not there any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("alerts are not looked after any more: the engine is being stopped")]
pub struct Stopped;

/// How others speak to the manager. It ends when the last one is gone.
#[derive(Debug, Clone)]
pub struct Handle {
    events: mpsc::Sender<Event>,
}

/// The owner of the state.
pub struct Manager {
    notifier: Notifier,
    saved: Notifier,
    /// None until it is known who is told.
    policy: Option<Policy>,
    dispatcher: Option<Arc<Dispatcher>>,
    save: Option<Save>,
    clock: fn() -> Timestamp,
    events: mpsc::Receiver<Event>,
    sending: Sending,
    problem: Option<String>,
}

/// What is on its way.
#[derive(Default)]
struct Sending {
    tasks: JoinSet<Outcome>,
    /// Group and receiver of each.
    of: HashMap<Id, (String, String)>,
}

impl Manager {
    /// Begins with the state that was saved; `save` writes it. Nothing happens until [`Manager::run`], and nobody is told of anything
    /// until [`Handle::reconfigure`].
    #[must_use]
    pub fn new(saved: Option<Notifier>, save: Save, clock: fn() -> Timestamp) -> (Self, Handle) {
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        let notifier = saved.unwrap_or_default();
        let manager = Self {
            saved: notifier.clone(),
            notifier,
            policy: None,
            dispatcher: None,
            save: Some(save),
            clock,
            events,
            sending: Sending::default(),
            problem: None,
        };
        (manager, Handle { events: sender })
    }

    /// Runs until the last [`Handle`] is gone. Then messages that are on their way get a moment more, and the state is saved.
    pub async fn run(mut self) {
        loop {
            let wake = self.send_what_is_due().await;
            tokio::select! {
                event = self.events.recv() => match event {
                    Some(event) => self.event(event),
                    None => break,
                },
                Some(ended) = self.sending.tasks.join_next_with_id() => self.ended(ended),
                () = tokio::time::sleep(wake) => {}
            }
        }
        let last = tokio::time::sleep(LAST_MESSAGES);
        tokio::pin!(last);
        loop {
            tokio::select! {
                ended = self.sending.tasks.join_next_with_id() => match ended {
                    Some(ended) => self.ended(ended),
                    None => break,
                },
                () = &mut last => break,
            }
        }
        self.save_changes().await;
    }

    /// Sends what is due; gives how long nothing more will be.
    async fn send_what_is_due(&mut self) -> Duration {
        let now = (self.clock)();
        let planned = self.policy.as_ref();
        let decision =
            planned.map_or_else(Decision::default, |policy| self.notifier.plan(policy, now));
        let mut begun = vec![];
        for message in decision.messages {
            let to_one = |(_, receiver): &&(String, String)| *receiver == message.receiver;
            let waiting = begun.len() + self.sending.of.len() >= SENDING_MAX
                || self.sending.of.values().filter(to_one).count() >= SENDING_TO_ONE_MAX;
            if waiting {
                continue;
            }
            if let Some(id) = self.notifier.begin(&message) {
                begun.push((message, id));
            }
        }
        // Before anything leaves, it is written down that it does.
        self.save_changes().await;
        for (message, id) in begun {
            let of = (message.group.clone(), message.receiver.clone());
            let dispatcher = self.dispatcher.clone();
            let task = self.sending.tasks.spawn(async move {
                match dispatcher {
                    Some(dispatcher) => dispatcher.send(&message, id).await,
                    None => Outcome::Refused("there are no receivers".to_owned()),
                }
            });
            self.sending.of.insert(task.id(), of);
        }
        let wake = decision
            .wake
            .map_or(LOOK_AT_LEAST, |at| at.since((self.clock)()));
        wake.min(LOOK_AT_LEAST)
    }

    fn ended(&mut self, ended: Result<(Id, Outcome), tokio::task::JoinError>) {
        let (id, outcome) = match ended {
            Ok((id, outcome)) => (id, outcome),
            Err(error) => (
                error.id(),
                Outcome::Failed("sending ended before its time".to_owned()),
            ),
        };
        if let (Some((group, _)), Some(policy)) = (self.sending.of.remove(&id), &self.policy) {
            let now = (self.clock)();
            self.notifier.finish(policy, &group, &outcome, now);
        }
    }

    fn event(&mut self, event: Event) {
        let now = (self.clock)();
        match event {
            Event::Observe { source, firing } => {
                if let Some(policy) = &self.policy {
                    self.notifier.observe(policy, &source, firing, now);
                }
            }
            Event::Reconfigure { config, sources } => self.reconfigure(*config, &sources, now),
            Event::Silence { silence, answer } => {
                let id = silence.id.clone();
                let done = self.notifier.silences_mut().set(*silence, now);
                answered(answer.send(done.map(|()| id)));
            }
            Event::Unsilence { id, answer } => {
                let done = self.notifier.silences_mut().expire(&id, now);
                answered(answer.send(done));
            }
            Event::Look(answer) => {
                answered(answer.send(Snapshot {
                    notifier: self.notifier.clone(),
                    policy: self.policy.clone().unwrap_or_default(),
                    at: now,
                    problem: self.problem.clone(),
                }));
            }
        }
    }

    fn reconfigure(&mut self, config: Config, sources: &[String], now: Timestamp) {
        if self.policy.is_none() {
            self.notifier.restore(&config.policy, now);
        }
        self.notifier.reconfigure(&config.policy, sources, now);
        self.policy = Some(config.policy);
        self.dispatcher = config.dispatcher.map(Arc::new);
    }

    /// Writes the state down if it has changed. Where that fails, messages still go out: to be told twice after a crash is
    /// better than not at all.
    async fn save_changes(&mut self) {
        if !self.notifier.differs(&self.saved) {
            return;
        }
        let Some(mut save) = self.save.take() else {
            return;
        };
        let state = self.notifier.clone();
        let written = tokio::task::spawn_blocking(move || {
            let done = save(&state);
            (save, state, done)
        });
        match written.await {
            Ok((save, state, done)) => {
                self.save = Some(save);
                self.problem = done.err();
                if self.problem.is_none() {
                    self.saved = state;
                }
            }
            Err(_) => {
                self.problem = Some("the state of alerts cannot be saved any more".to_owned())
            }
        }
    }
}

/// Whoever asked may have gone.
fn answered<T>(sent: Result<(), T>) {
    drop(sent);
}

impl Handle {
    async fn tell(&self, event: Event) -> Result<(), Stopped> {
        self.events.send(event).await.map_err(|_| Stopped)
    }

    /// Tells all that fires of one source: of a rule group, after each of its evaluations.
    ///
    /// # Errors
    /// The manager has ended.
    pub async fn observe(&self, source: &str, firing: Vec<Alert>) -> Result<(), Stopped> {
        let source = source.to_owned();
        self.tell(Event::Observe { source, firing }).await
    }

    /// Gives other routes and receivers, and all sources that there are: what others told of is over.
    ///
    /// # Errors
    /// The manager has ended.
    pub async fn reconfigure(&self, config: Config, sources: Vec<String>) -> Result<(), Stopped> {
        let config = Box::new(config);
        self.tell(Event::Reconfigure { config, sources }).await
    }

    /// Adds a silence, or replaces the one of the same id; an empty id is replaced by a new one. Gives the id.
    ///
    /// # Errors
    /// The manager has ended, or the silence is refused.
    pub async fn silence(
        &self,
        mut silence: Silence,
    ) -> Result<Result<String, SilenceError>, Stopped> {
        if silence.id.is_empty() {
            silence.id = uuid::Uuid::new_v4().to_string();
        }
        let (answer, done) = oneshot::channel();
        let silence = Box::new(silence);
        self.tell(Event::Silence { silence, answer }).await?;
        done.await.map_err(|_| Stopped)
    }

    /// Ends a silence.
    ///
    /// # Errors
    /// The manager has ended, or there is no such silence.
    pub async fn unsilence(&self, id: &str) -> Result<Result<(), SilenceError>, Stopped> {
        let (answer, done) = oneshot::channel();
        let id = id.to_owned();
        self.tell(Event::Unsilence { id, answer }).await?;
        done.await.map_err(|_| Stopped)
    }

    /// Everything as it is now.
    ///
    /// # Errors
    /// The manager has ended.
    pub async fn look(&self) -> Result<Snapshot, Stopped> {
        let (answer, done) = oneshot::channel();
        self.tell(Event::Look(answer)).await?;
        done.await.map_err(|_| Stopped)
    }
}

#[cfg(test)]
mod tests;
