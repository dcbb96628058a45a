//! Against a real S3 server, versitygw: once with the checksums of uploads kept there, once without.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use wharf_logs::{Batch, LogStore, Options};
use wharf_signal::{Direction, Labels, LogEntry, LogSelect, LogSource as _};

use super::pages::Far as _;
use super::*;

const KEY: &str = "the-access-key";
const SECRET: &str = "the-secret-key";
const DAY: i64 = 24 * 3_600_000_000_000;

/// Nothing that is waited for takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

fn gateway() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = cache.or(home).map(|cache| cache.join("wharf-ci/gobin"));
    let mut folders = cache.into_iter().chain(std::env::split_paths(&path));
    let found = folders.find_map(|folder| Some(folder.join("versitygw")).filter(|p| p.exists()));
    let required = std::env::var("WHARF_TEST_REQUIRE").is_ok_and(|value| value == "all");
    if found.is_none() {
        let reason = "versitygw is not installed";
        assert!(
            !required,
            "{reason}, and WHARF_TEST_REQUIRE=all asks for it"
        );
        eprintln!("skipped: {reason}");
    }
    found
}

/// A server with the bucket `shop-logs`.
struct Server {
    program: PathBuf,
    root: tempfile::TempDir,
    address: SocketAddr,
    keeps_checksums: bool,
    process: Option<Child>,
}

impl Server {
    fn start(keeps_checksums: bool) -> Option<Self> {
        let program = gateway()?;
        let root = tempfile::tempdir().unwrap();
        for folder in ["data/shop-logs", "meta"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut server = Self {
            program,
            root,
            address: free.local_addr().unwrap(),
            keeps_checksums,
            process: None,
        };
        drop(free);
        server.run();
        Some(server)
    }

    fn run(&mut self) {
        let mut command = Command::new(&self.program);
        command.args(["--port", &self.address.to_string(), "--quiet", "posix"]);
        if self.keeps_checksums {
            command.arg("--sidecar").arg(self.root.path().join("meta"));
        } else {
            command.arg("--nometa");
        }
        command.arg(self.root.path().join("data"));
        command
            .env("ROOT_ACCESS_KEY_ID", KEY)
            .env("ROOT_SECRET_ACCESS_KEY", SECRET);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.process = Some(command.spawn().unwrap());
        let begin = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            assert!(begin.elapsed() < PATIENCE, "versitygw does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// As by `kill -9`.
    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    fn bucket(&self) -> Bucket {
        Bucket {
            name: "shop-logs".to_owned(),
            prefix: "old/logs".to_owned(),
            endpoint: Some(format!("http://{}", self.address)),
            region: "us-east-1".to_owned(),
            access_key: Secret::new(KEY),
            secret_key: Secret::new(SECRET),
        }
    }

    fn s3(&self, runtime: &Runtime, folder: &str) -> S3 {
        S3::new(&self.bucket(), folder, runtime.handle().clone()).unwrap()
    }

    /// The objects in the bucket, as files.
    fn objects(&self) -> Vec<PathBuf> {
        let mut found = vec![];
        let mut folders = vec![self.root.path().join("data/shop-logs")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else {
                    found.push(entry.path());
                }
            }
        }
        found.retain(|path| path.to_string_lossy().contains("/old/logs/"));
        found
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
}

fn file(dir: &Path, content: &[u8]) -> File {
    let path = dir.join("content");
    fs::write(&path, content).unwrap();
    File::open(path).unwrap()
}

#[track_caller]
fn until<T>(mut done: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = done() {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "it takes too long");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_bucket_has_what_it_was_given() {
    for keeps_checksums in [true, false] {
        let Some(server) = Server::start(keeps_checksums) else {
            return;
        };
        let (runtime, dir) = (runtime(), tempfile::tempdir().unwrap());
        let s3 = server.s3(&runtime, "shop-1");
        let other = server.s3(&runtime, "shop-2");
        assert_eq!(s3.list().unwrap(), []);
        let content: Vec<u8> = (0..3_000_001u32).map(|n| (n % 251) as u8).collect();
        let length = content.len() as u64;
        s3.put("a.chunk", &file(dir.path(), &content), length)
            .unwrap();
        s3.put("b.chunk", &file(dir.path(), b"b"), 1).unwrap();
        // Again, as after a crash.
        s3.put("b.chunk", &file(dir.path(), b"b"), 1).unwrap();
        other.put("c.chunk", &file(dir.path(), b"c"), 1).unwrap();
        let listed = [("a.chunk".to_owned(), length), ("b.chunk".to_owned(), 1)];
        assert_eq!(s3.list().unwrap(), listed);
        assert_eq!(s3.range("a.chunk", 0, 5).unwrap(), content[..5]);
        assert_eq!(
            s3.range("a.chunk", 250, 1 << 20).unwrap(),
            content[250..250 + (1 << 20)]
        );
        assert_eq!(
            s3.range("a.chunk", length - 3, 9).unwrap(),
            content[content.len() - 3..]
        );
        let beyond = s3.range("a.chunk", length + 1, 9).unwrap_err();
        assert_eq!(beyond.kind(), io::ErrorKind::UnexpectedEof);
        let missing = s3.range("x.chunk", 0, 9).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        // A file that is not as long as it was said to be.
        let short = s3.put("d.chunk", &file(dir.path(), b"short"), 9);
        assert_eq!(short.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        s3.delete("a.chunk").unwrap();
        s3.delete("x.chunk").unwrap();
        until(|| (s3.list().unwrap().len() == 1).then_some(()));
        assert_eq!(other.list().unwrap().len(), 1);
    }
}

#[test]
fn a_list_goes_on_where_the_first_answer_ends() {
    let Some(server) = Server::start(false) else {
        return;
    };
    let (runtime, dir) = (runtime(), tempfile::tempdir().unwrap());
    let s3 = server.s3(&runtime, "shop-1");
    s3.put("0000.chunk", &file(dir.path(), b"b"), 1).unwrap();
    let [object] = &server.objects()[..] else {
        panic!("one object")
    };
    for n in 1..1100 {
        fs::copy(object, object.with_file_name(format!("{n:04}.chunk"))).unwrap();
    }
    let listed = s3.list().unwrap();
    assert_eq!(listed.len(), 1100);
    assert_eq!(listed.last(), Some(&("1099.chunk".to_owned(), 1)));
}

#[test]
fn what_is_wrong_is_told_and_no_secret_is() {
    let Some(mut server) = Server::start(true) else {
        return;
    };
    let runtime = runtime();
    let told = |change: &dyn Fn(&mut Bucket)| {
        let mut bucket = server.bucket();
        change(&mut bucket);
        let s3 = S3::new(&bucket, "shop-1", runtime.handle().clone());
        let text = match s3 {
            Err(why) => why,
            Ok(s3) => s3.list().unwrap_err().to_string(),
        };
        for hidden in [KEY, SECRET, "wrong", "Signature="] {
            assert!(!text.contains(hidden), "{text}");
        }
        text
    };
    let text = told(&|bucket| bucket.secret_key = Secret::new("wrong"));
    assert!(
        text.contains("SignatureDoesNotMatch") && text.contains("check `access_key`"),
        "{text}"
    );
    let text = told(&|bucket| bucket.access_key = Secret::new("wrong"));
    assert!(text.contains("check `"), "{text}");
    let text = told(&|bucket| bucket.name = "shop-lugs".to_owned());
    assert!(text.contains("is not there: make it"), "{text}");
    let text = told(&|bucket| bucket.region = "eu-north-1".to_owned());
    assert!(text.contains("check `region`"), "{text}");
    let text = told(&|bucket| bucket.endpoint = Some("ftp://x".to_owned()));
    assert!(text.contains("has no address"), "{text}");

    let s3 = server.s3(&runtime, "shop-1");
    s3.list().unwrap();
    server.kill();
    let text = s3.list().unwrap_err().to_string();
    assert!(text.contains("cannot be reached"), "{text}");
    // Nobody waits for it now.
    let text = s3.range("a.chunk", 0, 1).unwrap_err().to_string();
    assert!(text.contains("it is asked again in"), "{text}");
    server.run();
    until(|| s3.list().ok());
}

fn options(place: &Place) -> Options {
    Options {
        hot: Duration::from_secs(2 * 86_400),
        archive: Duration::from_secs(5 * 86_400),
        archive_to: Some(Arc::new(place.clone())),
        clock_step: Duration::from_secs(100 * 86_400),
        ..Options::default()
    }
}

fn push(store: &LogStore, day: i64) {
    let entries = (0..200).map(|n| LogEntry {
        nanos: day * DAY + n,
        line: format!("day {day} line {n}"),
        metadata: Labels::empty(),
    });
    let streams = vec![(Labels::from_pairs([("app", "shop")]), entries.collect())];
    store
        .push(&Batch {
            streams,
            ..Batch::default()
        })
        .unwrap();
    store.flush().unwrap();
}

fn ask(store: &LogStore, contains: &str) -> Result<Vec<String>, String> {
    let contains = [contains.to_owned()];
    let select = LogSelect {
        matchers: &[],
        start: i64::MIN,
        end: i64::MAX,
        direction: Direction::Forward,
        contains: &contains,
        metadata: &[],
    };
    let mut found = vec![];
    let asked = store.visit(select, &(), &mut |_, entry| {
        found.push(entry.line.clone());
        ControlFlow::Continue(())
    });
    asked.map(|()| found).map_err(|error| error.to_string())
}

fn expected(days: std::ops::Range<i64>) -> Vec<String> {
    let lines = |day| (0..200).map(move |n| format!("day {day} line {n}"));
    days.flat_map(lines).collect()
}

#[test]
fn lines_live_in_a_bucket_through_everything() {
    let Some(mut server) = Server::start(true) else {
        return;
    };
    let (runtime, dir) = (runtime(), tempfile::tempdir().unwrap());
    let place = || Place::new(dir.path(), runtime.handle().clone());
    let open = |place: &Place| {
        LogStore::open(dir.path().join("logs"), options(place))
            .unwrap()
            .0
    };
    // At first in the store's own folder.
    let own = place();
    assert_eq!(own.set("shop", &ArchivePlace::Own), None);
    let store = open(&own);
    push(&store, 0);
    store.maintain(3 * DAY).unwrap();
    assert_eq!(store.health().archive.files, 1);
    // Then, without a restart, in a bucket that is dead.
    let bucket = ArchivePlace::Bucket(server.bucket());
    assert_eq!(own.set("shop", &bucket), None);
    server.kill();
    push(&store, 1);
    let error = store.maintain(4 * DAY).unwrap_err().to_string();
    assert!(error.contains("the bucket shop-logs"), "{error}");
    assert_eq!(ask(&store, "day").unwrap(), expected(0..2));
    server.run();
    until(|| {
        store
            .maintain(4 * DAY)
            .ok()
            .filter(|kept| kept.archived == 1)
    });
    assert_eq!((store.health().hot.files, server.objects().len()), (0, 1));
    drop(store);
    // A restart; what was read is asked for once.
    let again = place();
    assert_eq!(again.set("shop", &bucket), None);
    let store = open(&again);
    assert_eq!(ask(&store, "day").unwrap(), expected(0..2));
    assert_eq!(ask(&store, "day 1 line 77").unwrap(), ["day 1 line 77"]);
    assert!(
        fs::read_dir(dir.path().join("logs-archive-pages"))
            .unwrap()
            .count()
            > 0
    );
    // What is damaged there is named, and not served.
    let object = server.objects().pop().unwrap();
    let sound = fs::read(&object).unwrap();
    let mut flipped = sound.clone();
    // Within the index, which lies before the end's 32 bytes.
    let within = flipped.len() - 40;
    flipped[within] ^= 4;
    fs::write(&object, &flipped).unwrap();
    drop(store);
    let store = open(&{
        let place = place();
        place.set("shop", &bucket);
        place
    });
    assert_eq!(ask(&store, "").unwrap(), expected(0..1));
    assert_eq!(store.health().damage.found, 1, "{:?}", store.health());
    fs::write(&object, &sound).unwrap();
    drop(store);
    // A server that is gone fails a question that needs it, and no other.
    let place = place();
    place.set("shop", &bucket);
    let store = open(&place);
    push(&store, 4);
    server.kill();
    let error = ask(&store, "day").unwrap_err();
    assert!(error.contains("the bucket shop-logs"), "{error}");
    server.run();
    until(|| ask(&store, "day").ok());
    // A secret that is missing after a release leaves everything where it is.
    let unusable = ArchivePlace::Unusable("no key".to_owned());
    assert_eq!(place.set("shop", &unusable), Some("no key".to_owned()));
    assert!(ask(&store, "day 1").unwrap_err().contains("no key"));
    place.set("shop", &bucket);
    // What is too old goes from the own folder and from the bucket.
    store.maintain(5 * DAY + 300).unwrap();
    assert_eq!(
        ask(&store, "day").unwrap(),
        [expected(1..2), expected(4..5)].concat()
    );
    store.maintain(6 * DAY + 300).unwrap();
    assert_eq!(ask(&store, "day").unwrap(), expected(4..5));
    until(|| (!object.exists()).then_some(()));
}

#[test]
fn a_folder_serves_many_stores() {
    let (runtime, shared) = (runtime(), tempfile::tempdir().unwrap());
    let to = ArchivePlace::Folder(shared.path().to_owned());
    let mut dirs = vec![];
    for _ in 0..2 {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::new(dir.path(), runtime.handle().clone());
        assert_eq!(place.set("shop", &to), None);
        let store = LogStore::open(dir.path().join("logs"), options(&place))
            .unwrap()
            .0;
        push(&store, 0);
        store.maintain(3 * DAY).unwrap();
        dirs.push((dir, store));
    }
    for (_, store) in &dirs {
        store.maintain(4 * DAY).unwrap();
        assert_eq!(ask(store, "day").unwrap(), expected(0..1));
    }
    assert_eq!(fs::read_dir(shared.path()).unwrap().count(), 2);
    let gone = ArchivePlace::Folder(shared.path().join("not-mounted"));
    let dir = tempfile::tempdir().unwrap();
    let place = Place::new(dir.path(), runtime.handle().clone());
    let told = place.set("shop", &gone).unwrap();
    assert!(told.contains("not-mounted cannot be used"), "{told}");
}
