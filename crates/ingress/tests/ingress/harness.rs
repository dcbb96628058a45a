//! Starts and stops ingress processes, and makes configurations.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use wharf_ingress::client::{self, ClientError};
use wharf_ingress::config::{
    Action, Config, Draining, Endpoint, Headers, Limits, Listener, Revision, Route, Status,
    Upstream,
};
use wharf_ingress::{Options, inherited_listeners, run};

use crate::replica::Replica;

/// Tells a child that it is an ingress, and where its files are.
const DIRECTORY: &str = "WHARF_TEST_INGRESS";

/// How long anything may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Runs an ingress if this process was started as one.
pub(crate) fn become_ingress() {
    let Ok(directory) = std::env::var(DIRECTORY) else {
        return;
    };
    let directory = Path::new(&directory);
    let options = Options {
        control_socket: directory.join("control.sock"),
        config_file: directory.join("config.json"),
        access_log: directory.join("access.log"),
        workers: 2,
        listeners: inherited_listeners().expect("listeners"),
    };
    run(options).expect("the ingress runs until it has drained");
}

/// Waits until `condition` gives something.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(
            start.elapsed() < DEADLINE,
            "{what} did not happen within {DEADLINE:?}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Calls the control API.
pub(crate) fn call<T>(
    future: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, ClientError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(future)
}

/// The sockets that an engine would hold: `http`, `https` and `internal`.
pub(crate) struct Sockets(Vec<TcpListener>);

impl Sockets {
    fn bind() -> Self {
        let bind = |_| {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            // The standard library's queue of 128 is too short for a crowd.
            rustix::net::listen(&listener, 4096).expect("a longer queue");
            listener
        };
        Self((0..3).map(bind).collect())
    }

    fn address(&self, index: usize) -> SocketAddr {
        self.0[index].local_addr().expect("a bound socket")
    }
}

/// A directory and sockets, and the ingress process that serves them.
pub(crate) struct Ingress {
    pub(crate) directory: TempDir,
    sockets: Sockets,
    child: Child,
}

impl Ingress {
    /// Starts one that serves `config`.
    pub(crate) fn start(config: &Config) -> Self {
        Self::start_with_files(config, 10_000)
    }

    /// Starts one that may open so many files.
    pub(crate) fn start_with_files(config: &Config, files: u32) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let sockets = Sockets::bind();
        let text = serde_json::to_vec(config).expect("JSON");
        std::fs::write(directory.path().join("config.json"), text).expect("it writes");
        let child = spawn(directory.path(), &sockets, files);
        let ingress = Self {
            directory,
            sockets,
            child,
        };
        ingress.wait_until_ready();
        ingress
    }

    /// Waits until the process answers.
    pub(crate) fn wait_until_ready(&self) {
        let pid = self.child.id();
        until("the ingress's start", || {
            self.try_status().ok().filter(|status| status.pid == pid)
        });
    }

    /// Starts another process on the same sockets and directory: the old one is returned, still running.
    pub(crate) fn replace(&mut self) -> Child {
        let new = spawn(self.directory.path(), &self.sockets, 10_000);
        std::mem::replace(&mut self.child, new)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    pub(crate) fn control(&self) -> PathBuf {
        self.directory.path().join("control.sock")
    }

    pub(crate) fn http(&self) -> SocketAddr {
        self.sockets.address(0)
    }

    pub(crate) fn https(&self) -> SocketAddr {
        self.sockets.address(1)
    }

    pub(crate) fn internal(&self) -> SocketAddr {
        self.sockets.address(2)
    }

    pub(crate) fn put(&self, config: &Config) {
        call(client::put_config(&self.control(), config)).expect("the configuration is taken");
    }

    pub(crate) fn try_status(&self) -> Result<Status, ClientError> {
        call(client::status(&self.control()))
    }

    pub(crate) fn status(&self) -> Status {
        self.try_status().expect("a status")
    }

    pub(crate) fn in_flight(&self, replica: &str) -> u64 {
        self.status()
            .endpoints
            .get(replica)
            .map_or(0, |endpoint| endpoint.in_flight)
    }

    /// The metrics, once `wanted` holds of them.
    #[track_caller]
    pub(crate) fn metrics(&self, wanted: impl Fn(&str) -> bool) -> String {
        until("the metrics", || {
            let text = call(client::metrics(&self.control())).expect("metrics");
            wanted(&text).then_some(text)
        })
    }

    /// The line of the access log for a path.
    #[track_caller]
    pub(crate) fn log_line(&self, path: &str) -> serde_json::Value {
        let log = self.directory.path().join("access.log");
        until("the line of the access log", || {
            let text = std::fs::read_to_string(&log).expect("the access log");
            let mut lines = text
                .lines()
                .map(|line| serde_json::from_str(line).expect("a JSON line"));
            lines.find(|line: &serde_json::Value| line["path"] == path)
        })
    }

    /// Drains it: what it ended with.
    pub(crate) fn drain(&mut self, timeout: Duration) -> Option<i32> {
        call(client::drain(&self.control(), timeout)).expect("it drains");
        self.wait()
    }

    /// What it ends with.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        until("the ingress's end", || {
            self.child.try_wait().expect("a child")
        })
        .code()
    }
}

impl Drop for Ingress {
    fn drop(&mut self) {
        stop(&mut self.child);
    }
}

/// Ends a process that this test started.
pub(crate) fn stop(child: &mut Child) {
    // It may have ended already.
    child.kill().unwrap_or_default();
    child.wait().expect("a child");
}

/// A shell puts the sockets, which the child gets as its standard streams, where systemd would.
fn spawn(directory: &Path, sockets: &Sockets, files: u32) -> Child {
    let script = format!(
        "ulimit -n {files}; exec 3<&0 4<&1 5<&2; exec </dev/null >/dev/null 2>\"$1/stderr\"; exec \"$0\" --exact ingress_process --nocapture"
    );
    let stream = |index: usize| {
        Stdio::from(OwnedFd::from(
            sockets.0[index].try_clone().expect("a socket"),
        ))
    };
    Command::new("/bin/sh")
        .args(["-c", &script])
        .arg(std::env::current_exe().expect("this binary"))
        .arg(directory)
        .env(DIRECTORY, directory)
        .env("LISTEN_FDS", "3")
        .env("LISTEN_FDNAMES", "http:https:internal")
        .stdin(stream(0))
        .stdout(stream(1))
        .stderr(stream(2))
        .spawn()
        .expect("a shell")
}

/// A configuration whose one route sends everything to `web`, with these replicas.
pub(crate) fn config(replicas: &[&Replica]) -> Config {
    let listeners = [
        ("http", Listener::Http),
        ("https", Listener::Https),
        ("internal", Listener::Upstream("web".to_owned())),
    ];
    let mut config = Config {
        generation: 1,
        project: "test".to_owned(),
        listeners: listeners
            .into_iter()
            .map(|(name, listener)| (name.to_owned(), listener))
            .collect(),
        routes: vec![route("all", &[], &[("/", "web")])],
        ..Config::default()
    };
    config
        .upstreams
        .insert("web".to_owned(), upstream("web", &[("r1", 1, replicas)]));
    config
}

/// The configuration that follows `config`.
pub(crate) fn next(config: &Config, change: impl FnOnce(&mut Config)) -> Config {
    let mut next = config.clone();
    next.generation += 1;
    change(&mut next);
    next
}

pub(crate) fn route(name: &str, hosts: &[&str], paths: &[(&str, &str)]) -> Route {
    let forward = |upstream: &str| Action::Forward {
        upstream: upstream.to_owned(),
        strip_prefix: false,
        sticky: false,
    };
    Route {
        name: name.to_owned(),
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        https_redirect: None,
        paths: paths
            .iter()
            .map(|(path, upstream)| ((*path).to_owned(), forward(upstream)))
            .collect::<BTreeMap<_, _>>(),
        limits: Limits::default(),
        headers: Headers::default(),
    }
}

pub(crate) fn upstream(service: &str, revisions: &[(&str, u32, &[&Replica])]) -> Upstream {
    let endpoint = |replica: &&Replica| Endpoint {
        id: replica.id.clone(),
        address: replica.address,
    };
    let revisions = revisions
        .iter()
        .map(|(release, weight, replicas)| Revision {
            release: (*release).to_owned(),
            weight: *weight,
            endpoints: replicas.iter().map(endpoint).collect(),
        });
    Upstream {
        service: service.to_owned(),
        revisions: revisions.collect(),
        draining: Vec::new(),
        health: None,
    }
}

/// A replica that leaves, and has so long for what it has.
pub(crate) fn draining(replica: &Replica, time: Duration) -> Draining {
    Draining {
        id: replica.id.clone(),
        deadline_millis: wharf_base::clock::now().after(time).0,
    }
}
