use std::sync::{Arc, Mutex};

use wharf_control::alert::{Route, Timing};
use wharf_signal::{Labels, Matcher};

use super::*;
use crate::dispatch::tests::HttpSink;
use crate::dispatch::{Channel, Receiver, Roots, Secret, Sender};
use crate::store::Store;

/// Longer than anything here takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

fn config(sink: &HttpSink, repeat: Duration) -> Config {
    let receiver = Receiver {
        name: "ops".to_owned(),
        channel: Channel::Webhook {
            url: Secret::new(sink.url.clone()),
        },
    };
    Config {
        policy: Policy {
            routes: vec![Route {
                receiver: "ops".to_owned(),
                matchers: vec![],
                group_by: vec!["alertname".to_owned()],
                timing: Timing {
                    group_wait: Duration::from_millis(50),
                    group_interval: Duration::from_millis(100),
                    repeat_interval: repeat,
                },
                send_resolved: true,
            }],
            inhibitions: vec![],
        },
        dispatcher: Some(Dispatcher::new(
            Sender::default(),
            vec![receiver],
            &Roots::default(),
        )),
    }
}

fn alert(name: &str) -> Alert {
    Alert {
        labels: Labels::from_pairs([("alertname", name)]),
        annotations: Default::default(),
        starts_at: wharf_base::clock::now(),
        ends_at: None,
        generator_url: String::new(),
    }
}

async fn until(what: &str, so: impl Fn() -> bool) {
    let waiting = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let done = tokio::time::timeout(DEADLINE, waiting).await;
    assert!(done.is_ok(), "{what} did not come about");
}

fn nothing_saved() -> Save {
    Box::new(|_| Ok(()))
}

const LONG: Duration = Duration::from_secs(3600);

/// A manager that runs and knows whom to tell.
async fn start(
    config: Config,
    saved: Option<Notifier>,
    save: Save,
) -> (tokio::task::JoinHandle<()>, Handle) {
    let (manager, handle) = Manager::new(saved, save, wharf_base::clock::now);
    let task = tokio::spawn(manager.run());
    handle
        .reconfigure(config, vec!["rules".to_owned()])
        .await
        .unwrap();
    (task, handle)
}

#[tokio::test]
async fn an_alert_is_told_and_its_end_and_a_restart_changes_nothing() {
    let sink = HttpSink::start(200, "").await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notifier.json");
    let begin = async || {
        let store: Arc<Store<Notifier>> = Arc::new(Store::at(&path));
        let saved = store.load().unwrap();
        let save: Save =
            Box::new(move |state| store.save(state).map_err(|error| error.to_string()));
        start(config(&sink, LONG), saved, save).await
    };
    let statuses = || -> Vec<String> {
        let status = |taken: &crate::dispatch::tests::Taken| taken.json()["status"].to_string();
        sink.taken().iter().map(status).collect()
    };
    let (task, handle) = begin().await;
    handle.observe("rules", vec![alert("Down")]).await.unwrap();
    until("the message", || sink.taken().len() == 1).await;
    drop(handle);
    task.await.unwrap();
    // The next engine sees the same alert, some evaluations long.
    let (task, handle) = begin().await;
    for _ in 0..20 {
        handle.observe("rules", vec![alert("Down")]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(statuses(), ["\"firing\""]);
    handle.observe("rules", vec![]).await.unwrap();
    until("the end", || sink.taken().len() == 2).await;
    drop(handle);
    task.await.unwrap();
    let (task, handle) = begin().await;
    handle.observe("rules", vec![]).await.unwrap();
    let snapshot = handle.look().await.unwrap();
    assert!(snapshot.alerts().is_empty());
    drop(handle);
    task.await.unwrap();
    assert_eq!(statuses(), ["\"firing\"", "\"resolved\""]);
}

#[tokio::test]
async fn without_a_configuration_nothing_is_told_and_nothing_forgotten() {
    let sink = HttpSink::start(200, "").await;
    let saved = Arc::new(Mutex::new(None));
    let save = || -> Save {
        let into = saved.clone();
        Box::new(move |state| {
            *into.lock().unwrap() = Some(state.clone());
            Ok(())
        })
    };
    let (task, handle) = start(config(&sink, LONG), None, save()).await;
    handle.observe("rules", vec![alert("Down")]).await.unwrap();
    until("the message", || sink.taken().len() == 1).await;
    drop(handle);
    task.await.unwrap();
    // The next one hears of alerts before it knows whom to tell.
    let known = saved.lock().unwrap().clone();
    let (manager, handle) = Manager::new(known, save(), wharf_base::clock::now);
    let task = tokio::spawn(manager.run());
    handle.observe("rules", vec![]).await.unwrap();
    let snapshot = handle.look().await.unwrap();
    assert_eq!(snapshot.groups().count(), 1);
    let sources = vec!["rules".to_owned()];
    handle
        .reconfigure(config(&sink, LONG), sources)
        .await
        .unwrap();
    for _ in 0..20 {
        handle.observe("rules", vec![alert("Down")]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(sink.taken().len(), 1);
    handle.observe("rules", vec![]).await.unwrap();
    until("the end", || sink.taken().len() == 2).await;
    drop(handle);
    task.await.unwrap();
}

#[tokio::test]
async fn a_receiver_that_fails_is_told_later() {
    let sink = HttpSink::start(503, "").await;
    let (task, handle) = start(config(&sink, LONG), None, nothing_saved()).await;
    handle.observe("rules", vec![alert("Down")]).await.unwrap();
    until("the first try", || !sink.taken().is_empty()).await;
    let problem = loop {
        let snapshot = handle.look().await.unwrap();
        if let Some(problem) = snapshot.groups().find_map(|group| group.problem.clone()) {
            break problem;
        }
    };
    assert_eq!(problem, "127.0.0.1 answered 503 Service Unavailable");
    sink.answer(200);
    until("the second try", || sink.taken().len() >= 2).await;
    loop {
        let snapshot = handle.look().await.unwrap();
        if snapshot
            .groups()
            .all(|group| group.problem.is_none() && group.told_at.is_some())
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(handle);
    task.await.unwrap();
}

#[tokio::test]
async fn silences_are_made_listed_and_ended() {
    let sink = HttpSink::start(200, "").await;
    let saved = Arc::new(Mutex::new(None));
    let into = saved.clone();
    let save: Save = Box::new(move |state| {
        *into.lock().unwrap() = Some(state.clone());
        Ok(())
    });
    let (task, handle) = start(config(&sink, LONG), None, save).await;
    let now = wharf_base::clock::now();
    let silence = Silence {
        id: String::new(),
        matchers: vec![Matcher::equal("alertname", "Down")],
        starts_at: now,
        ends_at: now.after(LONG),
        created_by: "ada".to_owned(),
        comment: "known".to_owned(),
        updated_at: now,
    };
    let id = handle.silence(silence.clone()).await.unwrap().unwrap();
    assert_eq!(id.len(), 36);
    let refused = handle
        .silence(Silence {
            comment: String::new(),
            ..silence
        })
        .await
        .unwrap();
    assert_eq!(refused, Err(SilenceError::Text));
    handle
        .observe("rules", vec![alert("Down"), alert("Other")])
        .await
        .unwrap();
    until("the other alert", || sink.taken().len() == 1).await;
    let snapshot = handle.look().await.unwrap();
    let mut states: Vec<(String, usize, bool)> = snapshot
        .alerts()
        .into_iter()
        .map(|a| {
            (
                a.alert.labels.value("alertname").to_owned(),
                a.silenced_by.len(),
                a.inhibited,
            )
        })
        .collect();
    states.sort();
    assert_eq!(
        states,
        [
            ("Down".to_owned(), 1, false),
            ("Other".to_owned(), 0, false)
        ]
    );
    assert_eq!(snapshot.alerts()[0].receivers, ["ops"]);
    handle.unsilence(&id).await.unwrap().unwrap();
    until("the silenced one", || sink.taken().len() == 2).await;
    assert!(handle.unsilence("none").await.unwrap().is_err());
    // Without its route and its source, an alert is over.
    handle
        .reconfigure(config(&sink, LONG), vec![])
        .await
        .unwrap();
    until("the ends", || sink.taken().len() == 4).await;
    drop(handle);
    task.await.unwrap();
    let saved = saved.lock().unwrap().take().unwrap();
    assert_eq!(saved.silences().iter().count(), 1);
}

#[tokio::test]
async fn what_cannot_be_saved_is_still_told() {
    let sink = HttpSink::start(200, "").await;
    let save: Save = Box::new(|_| Err("the disk is full".to_owned()));
    let (task, handle) = start(config(&sink, LONG), None, save).await;
    handle.observe("rules", vec![alert("Down")]).await.unwrap();
    until("the message", || sink.taken().len() == 1).await;
    let snapshot = handle.look().await.unwrap();
    assert_eq!(snapshot.problem.as_deref(), Some("the disk is full"));
    drop(handle);
    task.await.unwrap();
}
