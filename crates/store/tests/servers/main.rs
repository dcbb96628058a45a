//! With the real servers of this machine; without one its tests are skipped with a printed reason, or fail under
//! `WHARF_TEST_REQUIRE=all`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod pool;
mod postgres;
mod redis;

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::process::{Child, Command};
use wharf_plan::model::StoreEngine;
use wharf_store::{Account, Credentials, Prepared, Readiness, Request, Server, is_ready};

/// Far above what a start takes, so that only a server that never starts runs into it.
const DEADLINE: Duration = Duration::from_secs(60);

/// `nobody` of every distribution that has one; the servers refuse root, which tests may be.
const NOBODY: Account = Account {
    uid: 65_534,
    gid: 65_534,
};

fn server(engine: StoreEngine) -> Option<Server> {
    match wharf_store::find(engine, None) {
        Ok(server) => Some(server),
        Err(missing) if std::env::var("WHARF_TEST_REQUIRE").as_deref() == Ok("all") => {
            panic!("{missing}")
        }
        Err(missing) => {
            eprintln!("skipped: {missing}");
            None
        }
    }
}

/// A port that is free and stays so: below those that the system gives to outgoing connections, and given once.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 12_000 + u16::try_from(std::process::id() % 16_000).unwrap();
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A store in a temporary folder; its server is killed with it.
struct Store {
    request: Request,
    child: Option<Child>,
    prepared: Option<Prepared>,
    _dir: TempDir,
}

impl Store {
    fn new(server: Server) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
        let account = rustix::process::geteuid().is_root().then_some(NOBODY);
        let credentials = Credentials::generate(server.engine, "shop-db", free_port(), [0x5a; 24]);
        let request = Request {
            server,
            credentials,
            dir: dir.path().join("stores/shop-db"),
            account,
            extensions: Vec::new(),
            pooled: 0,
        };
        Self {
            request,
            child: None,
            prepared: None,
            _dir: dir,
        }
    }

    async fn prepare(&mut self) -> &Prepared {
        self.prepared
            .insert(wharf_store::prepare(self.request.clone()).await.unwrap())
    }

    /// Prepares, launches, waits until ready, sets up.
    async fn start(&mut self) {
        let prepared = self.prepare().await.clone();
        assert!(
            !prepared
                .argv
                .join(" ")
                .contains(&self.request.credentials.password),
            "a password in the arguments"
        );
        let mut command = Command::new(&prepared.argv[0]);
        command
            .args(&prepared.argv[1..])
            .current_dir(&prepared.cwd)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        if let Some(account) = prepared.account {
            command.uid(account.uid).gid(account.gid);
        }
        self.child = Some(command.spawn().unwrap());
        self.wait_until_ready().await;
        prepared.set_up().await.unwrap();
    }

    async fn readiness(&self) -> Readiness {
        is_ready(
            &self.request.credentials,
            self.request.server.engine,
            Duration::from_secs(5),
        )
        .await
    }

    async fn wait_until_ready(&mut self) {
        let begin = Instant::now();
        loop {
            let readiness = self.readiness().await;
            if readiness.is_ready() {
                return;
            }
            let ended = self
                .child
                .as_mut()
                .and_then(|child| child.try_wait().unwrap());
            assert!(ended.is_none(), "the server ended with {ended:?}");
            assert!(begin.elapsed() < DEADLINE, "not ready: {readiness:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Sends the signal that stops in order and waits for the end.
    async fn stop(&mut self) {
        let signal = self.prepared.as_ref().unwrap().stop.signal;
        let mut child = self.child.take().unwrap();
        let pid = i32::try_from(child.id().unwrap()).unwrap();
        let signal = rustix::process::Signal::from_named_raw(signal).unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal)
            .unwrap();
        let status = tokio::time::timeout(DEADLINE, child.wait())
            .await
            .unwrap()
            .unwrap();
        assert!(status.success(), "{status}");
    }

    async fn kill(&mut self) {
        self.child.take().unwrap().kill().await.unwrap();
    }
}
