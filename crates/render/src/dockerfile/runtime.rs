//! What is in a rendered image, and how it is started and asked for its health.

use wharf_base::ids::Name;
pub(crate) use wharf_plan::images::{FOLDER, in_image, is_django, is_uploaded};
use wharf_plan::model::{Build, Check, Framework, Language, Probe, Service, Source};
use wharf_plan::template::Part;

use wharf_plan::exec_form::{exec_form, needs_shell};

/// Where an image without anything else has the program that asks for its health.
pub(super) const HEALTH_PROGRAM: &str = "/usr/local/bin/healthcheck";

/// What is in an image beside the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runtime {
    /// Nothing: a static program of Rust or Go.
    Bare,
    /// Python and a virtual environment, on Debian.
    Python,
    /// Node, on Debian.
    Node,
    /// Nginx, on Alpine; the program is files.
    Nginx,
}

impl Runtime {
    /// What a build's image has; none: it has a Dockerfile of its own, or nobody has said what it is written in.
    pub(crate) fn of(build: &Build) -> Option<Self> {
        let toolchain = build.toolchain.as_ref()?;
        if build.dockerfile.is_some() {
            return None;
        }
        Some(match (toolchain.language, toolchain.framework) {
            (Language::Rust | Language::Go, _) => Self::Bare,
            (Language::Python, _) => Self::Python,
            (Language::Node, Some(Framework::React)) => Self::Nginx,
            (Language::Node, _) => Self::Node,
        })
    }

    /// What a service's image has, where it is rendered.
    pub(crate) fn of_service(service: &Service) -> Option<Self> {
        match &service.source {
            Source::Build(build) => Self::of(build),
            Source::Image(_) | Source::Command => None,
        }
    }

    /// Whether a shell is in it.
    pub(crate) fn has_shell(self) -> bool {
        self != Self::Bare
    }
}

/// What starts `service`: its command, else what is usual for its framework; none: nobody knows. `image` is the service that
/// its image is called after.
pub(crate) fn start(image: &Name, service: &Service) -> Option<Vec<String>> {
    let Source::Build(build) = &service.source else {
        return service.command.as_ref().map(exec_form);
    };
    let runtime = Runtime::of(build);
    // The server of the files is part of the image, whatever serves them elsewhere.
    if runtime == Some(Runtime::Nginx) {
        return Some(argv(&["nginx", "-e", "stderr", "-g", "daemon off;"]));
    }
    if let Some(command) = &service.command {
        return Some(exec_form(command));
    }
    let framework = build.toolchain.as_ref()?.framework;
    let port = service.primary_port_number();
    match (runtime?, framework) {
        (Runtime::Bare, _) => {
            let program = build.program.as_deref().unwrap_or(image.as_str());
            Some(vec![format!("{FOLDER}/{program}")])
        }
        (Runtime::Node, _) => Some(argv(&["node", "."])),
        (Runtime::Python, Some(Framework::Django)) => {
            let package = settings_package(service)?;
            let bind = format!("0.0.0.0:{}", port?);
            Some(argv(&[
                "gunicorn",
                &format!("{package}.wsgi:application"),
                "--bind",
                &bind,
            ]))
        }
        (Runtime::Python, Some(Framework::Flask)) => {
            let bind = format!("0.0.0.0:{}", port?);
            Some(argv(&["gunicorn", "app:app", "--bind", &bind]))
        }
        (Runtime::Python, Some(Framework::Fastapi)) => {
            let port = port?.to_string();
            Some(argv(&[
                "uvicorn", "main:app", "--host", "0.0.0.0", "--port", &port,
            ]))
        }
        (Runtime::Python | Runtime::Nginx, _) => None,
    }
}

/// The probe that a container engine makes: it knows one kind only.
pub(crate) fn probe(service: &Service) -> Option<&Probe> {
    let probes = &service.probes;
    probes
        .readiness
        .as_ref()
        .or(probes.liveness.as_ref())
        .or(probes.startup.as_ref())
}

/// The command that makes `probe` from within the container, with what the image has anyway.
pub(crate) fn health_command(
    runtime: Runtime,
    service: &Service,
    probe: &Probe,
) -> Option<Vec<String>> {
    let timeout = probe.timeout.as_secs().max(1);
    let number = |port: &Name| service.ports.get(port).copied();
    match &probe.check {
        Check::Exec { command } if needs_shell(command) && !runtime.has_shell() => None,
        Check::Exec { command } => Some(exec_form(command)),
        Check::Tcp { port } => {
            let port = number(port)?;
            Some(match runtime {
                Runtime::Bare => argv(&[HEALTH_PROGRAM]),
                Runtime::Python => argv(&[
                    "python",
                    "-c",
                    &format!(
                        "import socket; socket.create_connection((\"127.0.0.1\", {port}), timeout={timeout})"
                    ),
                ]),
                Runtime::Node => argv(&[
                    "node",
                    "-e",
                    &format!(
                        "require(\"net\").connect({port}, \"127.0.0.1\", () => process.exit(0)).on(\"error\", () => process.exit(1))"
                    ),
                ]),
                Runtime::Nginx => argv(&["nc", "-z", "127.0.0.1", &port.to_string()]),
            })
        }
        Check::Http {
            path,
            port,
            host,
            headers,
            ..
        } => {
            let url = format!("http://127.0.0.1:{}{path}", number(port)?);
            let mut headers = headers.clone();
            if let Some(host) = host {
                headers.insert("Host".to_owned(), host.clone());
            }
            // A JSON text is a literal of Python and JavaScript as well.
            let literal = |text: &str| serde_json::Value::from(text).to_string();
            let table = serde_json::to_string(&headers).unwrap_or_default();
            Some(match runtime {
                Runtime::Bare => argv(&[HEALTH_PROGRAM]),
                Runtime::Python => {
                    let request = if headers.is_empty() {
                        literal(&url)
                    } else {
                        format!("r.Request({}, headers={table})", literal(&url))
                    };
                    let script = format!(
                        "import urllib.request as r; r.urlopen({request}, timeout={timeout})"
                    );
                    argv(&["python", "-c", &script])
                }
                Runtime::Node => {
                    let options = if headers.is_empty() {
                        String::new()
                    } else {
                        format!(", {{ headers: {table} }}")
                    };
                    let script = format!(
                        "fetch({}{options}).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))",
                        literal(&url)
                    );
                    argv(&["node", "-e", &script])
                }
                Runtime::Nginx => {
                    let mut command = argv(&["wget", "-q", "-O", "/dev/null"]);
                    for (name, value) in &headers {
                        command.extend(argv(&["--header", &format!("{name}: {value}")]));
                    }
                    command.push(url);
                    command
                }
            })
        }
    }
}

/// The Python package of `DJANGO_SETTINGS_MODULE`: `shop` of `shop.settings`.
fn settings_package(service: &Service) -> Option<&str> {
    let template = service.environment.get("DJANGO_SETTINGS_MODULE")?;
    let [Part::Text(module)] = template.parts.as_slice() else {
        return None;
    };
    module.split('.').next()
}

fn argv(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
