//! A rendered Dockerfile is built by Podman as it is, and its image runs: without root, without a right to write to its own
//! file system, and small.
//!
//! No registry is asked. The image that the Dockerfile begins with is made here under the very name that it has there: an
//! empty root, into which the compiler and the toolchain of this machine are mounted while it builds.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::examples::{PROJECT, Plans, root};

/// What the image of a Rust service may take at most.
const LARGEST: u64 = 15_000_000;
/// How long the program may take until it answers.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn the_image_of_a_rust_service_is_built_and_runs() {
    if !installed("podman") {
        return;
    }
    let scratch = TempDir::new().unwrap();
    let dockerfile = rendered(scratch.path());
    let base = first_image(&dockerfile);
    let built = Built::new(scratch.path(), &dockerfile, &base);

    let size: u64 = built.inspected("{{.Size}}").parse().unwrap();
    println!("the image of examples/items has {size} bytes");
    assert!(size < LARGEST, "{size} bytes");
    assert_eq!(built.inspected("{{.Config.User}}"), "1000:1000");

    let container = Container::start(&built);
    let health = container.ask("GET", "/health", "");
    assert!(health.contains("\"status\":\"ok\""), "{health}");
    // A new volume belongs to the user of the image.
    let made = container.ask("POST", "/items", "{\"name\":\"a\"}");
    assert!(made.starts_with("HTTP/1.1 201"), "{made}");
    container.is_restricted();
    podman(&["healthcheck", "run", &container.name]);
}

/// The Dockerfile of `examples/items`, and its ignore list beside it.
fn rendered(scratch: &Path) -> PathBuf {
    let plans = Plans::of_example("items");
    let (_, _, made) = plans
        .render_all()
        .into_iter()
        .find(|(folder, target, _)| folder == PROJECT && target.name == "dockerfile")
        .unwrap();
    for (path, file) in made.files.iter() {
        let path = scratch.join("deploy").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &file.text).unwrap();
    }
    scratch.join("deploy/api/Dockerfile")
}

/// What the first stage begins with.
fn first_image(dockerfile: &Path) -> String {
    let text = std::fs::read_to_string(dockerfile).unwrap();
    let line = text.lines().find(|line| line.starts_with("FROM ")).unwrap();
    line.split_whitespace().nth(1).unwrap().to_owned()
}

/// The example as a folder that stands alone: in the repository it is a member of a workspace, and Cargo resolves what it
/// inherits from there.
fn context(scratch: &Path) -> PathBuf {
    let packed = scratch.join("packed");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(root())
        .args(["package", "--package", "items", "--no-verify", "--locked"])
        .args(["--allow-dirty", "--target-dir"])
        .arg(&packed);
    run(&mut cargo);
    let files = std::fs::read_dir(packed.join("package")).unwrap();
    let file = files
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            path.extension()
                .is_some_and(|extension| extension == "crate")
        })
        .unwrap();
    run(Command::new("tar")
        .arg("--extract")
        .arg("--gzip")
        .arg("--file")
        .arg(&file)
        .arg("--directory")
        .arg(scratch));
    scratch.join(file.file_stem().unwrap())
}

/// Makes an image called `name`: an empty root with the certificates of this machine, and places for its programs.
fn make_base(scratch: &Path, name: &str) {
    let folder = scratch.join("base");
    for path in [
        "etc/ssl/certs",
        "proc",
        "root",
        "sys",
        "tmp",
        "usr/bin",
        "usr/include",
        "usr/lib",
        "usr/lib64",
        "usr/local/cargo",
        "usr/local/rust",
    ] {
        std::fs::create_dir_all(folder.join(path)).unwrap();
    }
    for name in ["bin", "lib", "lib64"] {
        std::os::unix::fs::symlink(format!("usr/{name}"), folder.join(name)).unwrap();
    }
    let certificates = "etc/ssl/certs/ca-certificates.crt";
    std::fs::copy(Path::new("/").join(certificates), folder.join(certificates)).unwrap();
    // `cc` leads through here.
    run(Command::new("cp")
        .args(["--archive", "/etc/alternatives"])
        .arg(folder.join("etc")));
    let archive = scratch.join("base.tar");
    run(Command::new("tar")
        .arg("--create")
        .arg("--file")
        .arg(&archive)
        .arg("--directory")
        .arg(&folder)
        .arg("."));
    podman(&[
        "import",
        "--quiet",
        "--change",
        "ENV PATH=/usr/local/rust/bin:/usr/bin:/bin",
        "--change",
        "ENV CARGO_HOME=/usr/local/cargo",
        archive.to_str().unwrap(),
        &format!("docker.io/library/{name}"),
    ]);
}

/// An image, which is gone with it.
struct Built {
    name: String,
    base: String,
}

impl Built {
    fn new(scratch: &Path, dockerfile: &Path, base: &str) -> Self {
        make_base(scratch, base);
        let context = context(scratch);
        let toolchain = run(Command::new("rustc").args(["--print", "sysroot"]));
        let built = Self {
            name: format!("localhost/wharf-test-items:{}", std::process::id()),
            base: format!("docker.io/library/{base}"),
        };
        let toolchain = format!("{}:/usr/local/rust:ro", toolchain.trim());
        let mut arguments = vec![
            "build",
            "--pull=never",
            "--format=docker",
            // No image of a single step stays behind.
            "--layers=false",
            // For Cargo's registry.
            "--network=host",
        ];
        for volume in [
            "/usr/bin:/usr/bin:ro",
            "/usr/include:/usr/include:ro",
            "/usr/lib:/usr/lib:ro",
            "/usr/lib64:/usr/lib64:ro",
            &toolchain,
        ] {
            arguments.extend(["--volume", volume]);
        }
        arguments.extend([
            "--file",
            dockerfile.to_str().unwrap(),
            "--tag",
            &built.name,
            context.to_str().unwrap(),
        ]);
        podman(&arguments);
        built
    }

    fn inspected(&self, format: &str) -> String {
        let text = podman(&["image", "inspect", "--format", format, &self.name]);
        text.trim().to_owned()
    }
}

impl Drop for Built {
    fn drop(&mut self) {
        for image in [&self.name, &self.base] {
            quietly(&["rmi", "--force", image]);
        }
    }
}

/// A running container and its volume, which are gone with it.
struct Container {
    name: String,
    port: u16,
}

impl Container {
    /// Starts it as the rendered Compose file does: read-only, without capabilities, within its memory.
    fn start(image: &Built) -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let container = Self {
            name: format!("wharf-test-items-{}", std::process::id()),
            port,
        };
        podman(&[
            "run",
            "--detach",
            "--name",
            &container.name,
            "--read-only",
            "--cap-drop=ALL",
            "--security-opt=no-new-privileges",
            "--memory=256m",
            "--env=ITEMS_FILE=/app/data/items.jsonl",
            "--env=VERSION=1.0.0",
            "--volume",
            &format!("{}:/app/data", container.name),
            "--publish",
            &format!("127.0.0.1:{port}:8000"),
            &image.name,
        ]);
        container
    }

    /// The whole answer, asked for again until there is one.
    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let begin = Instant::now();
        loop {
            let failed = match self.asked(method, path, body) {
                Ok(answer) if answer.starts_with("HTTP/1.1 ") => return answer,
                Ok(answer) => answer,
                Err(error) => error.to_string(),
            };
            assert!(
                begin.elapsed() < PATIENCE,
                "{method} {path}: {failed}\n{}",
                podman(&["logs", &self.name])
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn asked(&self, method: &str, path: &str, body: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// The kernel says so, not Podman.
    fn is_restricted(&self) {
        let pid = podman(&["inspect", "--format", "{{.State.Pid}}", &self.name]);
        let process = PathBuf::from("/proc").join(pid.trim());
        let status = std::fs::read_to_string(process.join("status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().trim().to_owned()
        };
        assert_eq!(field("Uid:"), "1000\t1000\t1000\t1000");
        assert_eq!(field("CapEff:"), "0000000000000000");
        assert_eq!(field("NoNewPrivs:"), "1");
        let mounts = std::fs::read_to_string(process.join("mounts")).unwrap();
        let of_root = mounts
            .lines()
            .map(|line| line.split(' ').collect::<Vec<_>>())
            .find(|fields| fields[1] == "/")
            .unwrap();
        assert!(
            of_root[3].split(',').any(|option| option == "ro"),
            "{mounts}"
        );
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        quietly(&["rm", "--force", "--time=1", &self.name]);
        quietly(&["volume", "rm", "--force", &self.name]);
    }
}

/// False, with the reason printed, where a program is missing; a failure under `WHARF_TEST_REQUIRE=all`.
fn installed(program: &str) -> bool {
    let there = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok();
    if !there {
        let required = std::env::var("WHARF_TEST_REQUIRE").is_ok_and(|value| value == "all");
        assert!(
            !required,
            "{program} is not installed, and WHARF_TEST_REQUIRE=all asks for it"
        );
        eprintln!("skipped: {program} is not installed");
    }
    there
}

#[track_caller]
fn podman(arguments: &[&str]) -> String {
    run(Command::new("podman").args(arguments))
}

/// What it leaves behind is told by the next run that needs the name.
fn quietly(arguments: &[&str]) {
    drop(
        Command::new("podman")
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status(),
    );
}

/// What a command prints; its failure is the test's.
#[track_caller]
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
