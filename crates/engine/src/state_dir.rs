//! Where a project's state lies: `.wharf/` beside `wharf.yaml`.
//!
//! | path | what | mode |
//! | --- | --- | --- |
//! | `engine.sock`, `ingress.sock` | control sockets | 0600 |
//! | `id` | the marker of this project's processes | |
//! | `engine.lock` | held by the one engine | |
//! | `state.redb` | releases, roll-out, replicas, audit | 0600 |
//! | `engine.log`, `ingress.log` | output of Wharf's own processes | |
//! | `access.log` | the ingress's access log | |
//! | `ingress.json` | the ingress's last configuration | |
//! | `run/<id>/<attempt>/` | one supervised process: its shim's socket, its exit | |
//! | `logs/<service>/<replica>.log` | output of replicas | |
//! | `artifacts/<service>/<digest>/` | what was built | |
//! | `cache/` | virtual environments and the like | |
//! | `stores/<name>/` | the data of a store | its user's |
//! | `volumes/<name>/` | named volumes | its user's |
//! | `telemetry/` | metrics, logs, traces, the state of alerts | 0700 |
//! | `secrets/` | generated and given secrets | 0700 |
//! | `tls/` | the local certificate authority | 0700 |

use std::fmt::Write as _;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use wharf_base::ids::Name;

/// The folder's name beside `wharf.yaml`.
pub const DIR_NAME: &str = ".wharf";

/// A project's state directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDir {
    root: PathBuf,
}

impl StateDir {
    /// The state directory of the project in `base_dir`: `.wharf` in it, unless `given` says otherwise.
    ///
    /// A root engine runs services as another user, who has to be able to reach what was built: where that user may
    /// not enter `base_dir`, the state lies under `/var/lib/wharf`.
    #[must_use]
    pub fn locate(base_dir: &Path, given: Option<PathBuf>) -> Self {
        if let Some(root) = given {
            return Self { root };
        }
        let root = base_dir.join(DIR_NAME);
        if rustix::process::geteuid().is_root() && !root.exists() && !reachable_by_all(base_dir) {
            let name = base_dir
                .to_string_lossy()
                .trim_matches('/')
                .replace('/', "-");
            return Self {
                root: Path::new("/var/lib/wharf").join(name),
            };
        }
        Self { root }
    }

    /// An existing or future state directory.
    #[must_use]
    pub fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// Makes the directory and what is always in it.
    ///
    /// # Errors
    /// What the file system says.
    pub fn create(&self) -> io::Result<()> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(&self.root)?;
        for private in ["secrets", "telemetry", "tls"] {
            make_dir(&self.root.join(private), 0o700)?;
        }
        for open in ["run", "logs", "artifacts", "cache", "stores", "volumes"] {
            make_dir(&self.root.join(open), 0o755)?;
        }
        let ignore = self.root.join(".gitignore");
        if !ignore.exists() {
            std::fs::write(ignore, "*\n")?;
        }
        Ok(())
    }

    /// The directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What marks this project's processes, unique on the machine: drawn once, kept in the file `id`.
    ///
    /// # Errors
    /// What the file system says.
    pub fn marker(&self) -> io::Result<String> {
        let path = self.root.join("id");
        match std::fs::read_to_string(&path) {
            Ok(id) if !id.trim().is_empty() => Ok(id.trim().to_owned()),
            Ok(_) => self.draw_marker(&path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.draw_marker(&path),
            Err(error) => Err(error),
        }
    }

    fn draw_marker(&self, path: &Path) -> io::Result<String> {
        let id = format!("wharf-{}", random_hex(8)?);
        write_secret(path, id.as_bytes())?;
        Ok(id)
    }

    /// The engine's control socket.
    #[must_use]
    pub fn engine_socket(&self) -> PathBuf {
        self.root.join("engine.sock")
    }

    /// The lock that the engine holds.
    #[must_use]
    pub fn engine_lock(&self) -> PathBuf {
        self.root.join("engine.lock")
    }

    /// What the engine prints.
    #[must_use]
    pub fn engine_log(&self) -> PathBuf {
        self.root.join("engine.log")
    }

    /// The embedded database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.root.join("state.redb")
    }

    /// The ingress's control socket.
    #[must_use]
    pub fn ingress_socket(&self) -> PathBuf {
        self.root.join("ingress.sock")
    }

    /// The ingress's last configuration.
    #[must_use]
    pub fn ingress_config(&self) -> PathBuf {
        self.root.join("ingress.json")
    }

    /// What the ingress prints.
    #[must_use]
    pub fn ingress_log(&self) -> PathBuf {
        self.root.join("ingress.log")
    }

    /// The ingress's access log.
    #[must_use]
    pub fn access_log(&self) -> PathBuf {
        self.root.join("access.log")
    }

    /// The run directory of one supervised process.
    #[must_use]
    pub fn run_dir(&self, id: &str, attempt: u32) -> PathBuf {
        self.root.join("run").join(id).join(attempt.to_string())
    }

    /// The log files of a service or store.
    #[must_use]
    pub fn logs(&self, service: &Name) -> PathBuf {
        self.logs_root().join(service.as_str())
    }

    /// The log files of all of them.
    #[must_use]
    pub fn logs_root(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// What was built of a service.
    #[must_use]
    pub fn artifacts(&self, service: &Name) -> PathBuf {
        self.root.join("artifacts").join(service.as_str())
    }

    /// What builds keep between each other.
    #[must_use]
    pub fn cache(&self) -> PathBuf {
        self.root.join("cache")
    }

    /// The data of a store.
    #[must_use]
    pub fn store(&self, store: &Name) -> PathBuf {
        self.root.join("stores").join(store.as_str())
    }

    /// A named volume.
    #[must_use]
    pub fn volume(&self, volume: &Name) -> PathBuf {
        self.root.join("volumes").join(volume.as_str())
    }

    /// A folder of uploads that lies on no volume. Names have no dot, so it meets no volume.
    #[must_use]
    pub fn uploads(&self, service: &Name, folder: &str) -> PathBuf {
        let folder = folder.trim_matches(['.', '/']).replace('/', ".");
        self.root
            .join("volumes")
            .join(format!("{service}.{folder}"))
    }

    /// A secret, by file name.
    #[must_use]
    pub fn secret(&self, name: &str) -> PathBuf {
        self.root.join("secrets").join(name)
    }

    /// Metrics, logs and traces.
    #[must_use]
    pub fn telemetry(&self) -> PathBuf {
        self.root.join("telemetry")
    }

    /// The local certificate authority.
    #[must_use]
    pub fn tls(&self) -> PathBuf {
        self.root.join("tls")
    }
}

fn make_dir(path: &Path, mode: u32) -> io::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

/// Whether every user may enter `path`: the `x` bit for others on it and on all above it.
fn reachable_by_all(path: &Path) -> bool {
    path.ancestors()
        .all(|dir| std::fs::metadata(dir).is_ok_and(|meta| meta.mode() & 0o001 != 0))
}

/// Writes `bytes` to `path`, readable by its owner alone, so that a reader sees the old or the new content.
///
/// # Errors
/// What the file system says.
pub(crate) fn write_secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let temporary = path.with_extension("new");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(temporary, path)
}

fn random(bytes: usize) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; bytes];
    let mut filled = 0;
    while filled < bytes {
        filled +=
            rustix::rand::getrandom(&mut buffer[filled..], rustix::rand::GetRandomFlags::empty())?;
    }
    Ok(buffer)
}

/// So many random letters and digits.
pub(crate) fn random_text(length: usize) -> io::Result<String> {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut text = String::with_capacity(length);
    while text.len() < length {
        // Of 256 bytes the last 8 are passed over, so that each letter is as likely as the others.
        let bytes = random(length)?;
        let letters = bytes.iter().filter_map(|byte| match usize::from(*byte) {
            byte if byte < 248 => Some(char::from(LETTERS[byte % 62])),
            _ => None,
        });
        text.extend(letters);
    }
    text.truncate(length);
    Ok(text)
}

/// So many random bytes from the kernel, as hexadecimal digits.
pub(crate) fn random_hex(bytes: usize) -> io::Result<String> {
    let buffer = random(bytes)?;
    Ok(buffer.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String never fails");
        text
    }))
}
