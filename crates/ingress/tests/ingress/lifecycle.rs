//! Changes while it serves: configurations, replicas that leave, processes that end or take over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use wharf_ingress::client::{self, ClientError, Control};
use wharf_ingress::config::{Action, Config};

use crate::harness::{Ingress, call, config, draining, next, stop, until, upstream};
use crate::replica::Replica;
use crate::wire::{Wire, get};

/// Clients that ask all the time, some on one connection, some on a new one each time.
struct Load {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    fn start(address: std::net::SocketAddr) -> Self {
        let (stop, asked) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let clients = (0..8).map(|index| {
            let (stop, asked) = (Arc::clone(&stop), Arc::clone(&asked));
            std::thread::spawn(move || {
                let mut failures = Vec::new();
                let mut wire = Wire::connect(address);
                while !stop.load(Ordering::SeqCst) {
                    wire.send("GET /name HTTP/1.1\r\nHost: a\r\n\r\n");
                    let answer = wire.try_answer(false);
                    asked.fetch_add(1, Ordering::SeqCst);
                    let closes = answer
                        .as_ref()
                        .is_some_and(|answer| answer.header("connection") == Some("close"));
                    if answer.as_ref().is_none_or(|answer| answer.status != 200) {
                        failures.push(format!("{answer:?}"));
                    }
                    if index % 2 == 0 || closes || answer.is_none() {
                        wire = Wire::connect(address);
                    }
                }
                failures
            })
        });
        let clients = clients.collect();
        Self {
            stop,
            asked,
            clients,
        }
    }

    /// Waits for so many more requests.
    fn wait_for(&self, more: usize) {
        let goal = self.asked.load(Ordering::SeqCst) + more;
        until("the requests", || {
            (self.asked.load(Ordering::SeqCst) >= goal).then_some(())
        });
    }

    #[track_caller]
    fn end(self) {
        self.stop.store(true, Ordering::SeqCst);
        for client in self.clients {
            let failures = client.join().expect("a client");
            assert!(failures.is_empty(), "{failures:?}");
        }
    }
}

#[test]
fn releases_under_load_fail_no_request() {
    let mut replicas = vec![Replica::start("web-r0-1"), Replica::start("web-r0-2")];
    let refs = |replicas: &[Replica]| -> Config { config(&replicas.iter().collect::<Vec<_>>()) };
    let mut served = refs(&replicas);
    let ingress = Ingress::start(&served);
    let load = Load::start(ingress.http());
    for round in 1..=10 {
        let new = vec![
            Replica::start(&format!("web-r{round}-1")),
            Replica::start(&format!("web-r{round}-2")),
        ];
        served = next(&served, |config| {
            let release = format!("r{round}");
            let mut web = upstream("web", &[(&release, 1, &new.iter().collect::<Vec<_>>())]);
            web.draining = replicas
                .iter()
                .map(|replica| draining(replica, Duration::from_secs(10)))
                .collect();
            config.upstreams.insert("web".to_owned(), web);
        });
        ingress.put(&served);
        for replica in &replicas {
            until("the end of its requests", || {
                (ingress.in_flight(&replica.id) == 0).then_some(())
            });
        }
        // They stop at once: nothing may be on its way to them.
        replicas = new;
        load.wait_for(200);
    }
    load.end();
    assert!(replicas.iter().all(|replica| replica.requests() > 0));
}

#[test]
fn what_is_under_way_ends_at_its_deadline() {
    let (old, new) = (Replica::start("web-r1-1"), Replica::start("web-r2-1"));
    let base = config(&[&old]);
    let ingress = Ingress::start(&base);
    let mut stream = Wire::connect(ingress.http());
    stream.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(stream.head().map(|head| head.status), Some(200));
    let mut waiting = Wire::connect(ingress.http());
    waiting.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    until("both requests", || {
        (ingress.in_flight("web-r1-1") == 2).then_some(())
    });
    ingress.put(&next(&base, |config| {
        let mut web = upstream("web", &[("r2", 1, &[&new])]);
        web.draining = vec![draining(&old, Duration::from_secs(1))];
        config.upstreams.insert("web".to_owned(), web);
    }));
    assert!(
        matches!(stream.chunk(), Some(Some(_))),
        "it goes on until then"
    );
    until("the cut", || {
        (ingress.in_flight("web-r1-1") == 0).then_some(())
    });
    while let Some(chunk) = stream.chunk() {
        assert!(chunk.is_some(), "a stream that was cut has no end");
    }
    let answer = waiting.answer();
    assert_eq!(
        (answer.status, answer.error()),
        (
            503,
            "replica `web-r1-1` of `web` was stopped before it answered".to_owned()
        )
    );
}

#[test]
fn stale_and_invalid_configurations_change_nothing() {
    let replica = Replica::start("web-r1-1");
    let base = next(&config(&[&replica]), |config| config.generation = 7);
    let ingress = Ingress::start(&base);
    let put = |config: &Config| call(client::put_config(&ingress.control(), config));
    let older = next(&base, |config| config.generation = 6);
    assert!(matches!(put(&older), Err(ClientError::Stale(_))));
    let invalid = next(&base, |config| {
        let redirect = Action::Redirect {
            to: "/x".to_owned(),
            status: 200,
        };
        config.routes[0].paths.insert("/x".to_owned(), redirect);
    });
    let refused = put(&invalid).expect_err("200 is no redirect").to_string();
    assert!(
        refused.contains("route `all` redirects with a status that is not"),
        "{refused}"
    );
    let missing = next(&base, |config| {
        config
            .certificates
            .push(wharf_ingress::config::Certificate {
                names: vec!["a".to_owned()],
                chain: "/nowhere/a.pem".into(),
                key: "/nowhere/a.key".into(),
            });
    });
    let refused = put(&missing).expect_err("there is no file").to_string();
    assert!(refused.contains("cannot read /nowhere/a.pem"), "{refused}");
    assert_eq!(ingress.status().generation, 7);
    assert_eq!(get(ingress.http(), "/name").status, 200);
    put(&base).expect("the same generation may be put again");
}

#[test]
fn another_process_takes_over_without_a_refused_connection() {
    let replica = Replica::start("web-r1-1");
    let mut ingress = Ingress::start(&config(&[&replica]));
    let load = Load::start(ingress.http());
    let mut slow = Wire::connect(ingress.http());
    slow.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut idle = Wire::connect(ingress.http());
    assert_eq!(idle.get("/name").status, 200);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut retired = Vec::new();
    for round in 0..3 {
        load.wait_for(100);
        let (old_pid, control) = (ingress.pid(), ingress.control());
        // Connected before the new one takes the path.
        let mut old_control = runtime
            .block_on(Control::connect(&control))
            .expect("the old one");
        let old = ingress.replace();
        ingress.wait_until_ready();
        assert_ne!(ingress.pid(), old_pid);
        runtime
            .block_on(old_control.drain(Duration::from_secs(30)))
            .expect("it drains");
        let status = runtime
            .block_on(old_control.status())
            .expect("it still says what it does");
        assert_eq!((status.pid, status.draining), (old_pid, true));
        retired.push(old);
        load.wait_for(100);
        if round == 0 {
            // A connection that was idle is answered once more, and then closed.
            let answer = idle.try_answer_to("/name");
            assert!(answer.is_none_or(|answer| answer.header("connection") == Some("close")));
        }
    }
    replica.release();
    assert_eq!(
        slow.answer().status,
        200,
        "the first process finishes what it has"
    );
    for old in &mut retired {
        let code = until("the end of the old process", || {
            old.try_wait().expect("a child")
        })
        .code();
        assert_eq!(code, Some(0));
        stop(old);
    }
    load.end();
    assert_eq!(
        ingress.status().pid,
        ingress.pid(),
        "the successor's socket is still there"
    );
}

#[test]
fn a_killed_process_loses_no_connection_to_come() {
    let replica = Replica::start("web-r1-1");
    let base = config(&[&replica]);
    let mut ingress = Ingress::start(&base);
    ingress.put(&next(&base, |config| {
        config.routes[0].headers.security = true
    }));
    stop(ingress.child());
    // Nobody accepts, but the socket is open: the kernel keeps the client waiting.
    let mut wire = Wire::connect(ingress.http());
    wire.send("GET /name HTTP/1.1\r\nHost: a\r\n\r\n");
    stop(&mut ingress.replace());
    let answer = wire.answer();
    assert_eq!(
        (answer.status, answer.header("x-frame-options")),
        (200, Some("SAMEORIGIN")),
        "the last configuration"
    );
    ingress.wait_until_ready();
    assert_eq!(ingress.status().generation, 2);
}

#[test]
fn a_new_engine_gets_the_listeners_back() {
    let replica = Replica::start("web-r1-1");
    let ingress = Ingress::start(&config(&[&replica]));
    let taken = call(client::take_listeners(&ingress.control())).expect("the listeners");
    let names: Vec<_> = taken.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["http", "https", "internal"]);
    assert_eq!(taken[0].1.local_addr().expect("bound"), ingress.http());
    assert_eq!(ingress.status().listeners["internal"], ingress.internal());
}

#[test]
fn sigterm_finishes_what_is_under_way() {
    let replica = Replica::start("web-r1-1");
    let mut ingress = Ingress::start(&config(&[&replica]));
    let mut waiting = Wire::connect(ingress.http());
    waiting.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    until("the request", || {
        (ingress.in_flight("web-r1-1") == 1).then_some(())
    });
    let pid = rustix::process::Pid::from_raw(ingress.pid().cast_signed()).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it is there");
    until("the drain", || ingress.status().draining.then_some(()));
    assert_eq!(
        ingress.child().try_wait().expect("a child"),
        None,
        "it waits"
    );
    replica.release();
    let answer = waiting.answer();
    assert_eq!(
        (answer.status, answer.header("connection")),
        (200, Some("close"))
    );
    assert_eq!(ingress.wait(), Some(0));
}

#[test]
fn the_control_socket_is_for_its_owner() {
    use std::os::unix::fs::PermissionsExt as _;
    let ingress = Ingress::start(&config(&[]));
    for name in ["control.sock", "control.sock.fds", "config.json"] {
        if name == "config.json" {
            ingress.put(&next(&config(&[]), |_| {}));
        }
        let metadata = std::fs::metadata(ingress.directory.path().join(name)).expect("a file");
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{name}");
    }
}
