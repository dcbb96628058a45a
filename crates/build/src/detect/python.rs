//! Python: who installs the requirements, which framework, where its application object is.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use toml::Value;
use wharf_plan::model::Command;

use super::{Detected, Kind, StoreNeed, django, read, read_toml};
use crate::error::DetectError;
use crate::sources::Sources;

/// A web framework and where its application is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Framework {
    /// Django.
    Django {
        /// The package of the settings: `mysite`.
        module: String,
    },
    /// Flask.
    Flask {
        /// `module:object`, or `module:factory()`.
        app: String,
    },
    /// FastAPI or Starlette.
    FastApi {
        /// `module:object`.
        app: String,
    },
}

/// A Python project.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Python {
    /// Its framework, if it has one that is known.
    pub framework: Option<Framework>,
    /// What lists its requirements, the first that is there of `uv.lock`, `poetry.lock`, `Pipfile.lock`, `requirements.txt`
    /// (also in `requirements/`), `pyproject.toml`; none for a program without requirements.
    pub requirements: Option<PathBuf>,
    /// The names of what it requires, normalised (PEP 503).
    pub packages: BTreeSet<String>,
}

/// In the order of who decides.
const REQUIREMENTS: [&str; 8] = [
    "uv.lock",
    "poetry.lock",
    "Pipfile.lock",
    "requirements.txt",
    "requirements/production.txt",
    "requirements/prod.txt",
    "requirements/base.txt",
    "pyproject.toml",
];

pub(super) fn detect(dir: &Path) -> Result<Option<Detected>, DetectError> {
    let requirements = REQUIREMENTS
        .iter()
        .map(PathBuf::from)
        .find(|path| dir.join(path).is_file());
    let alone = ["manage.py", "setup.py", "app.py", "main.py", "wsgi.py"]
        .iter()
        .any(|name| dir.join(name).is_file());
    if requirements.is_none() && !alone {
        return Ok(None);
    }
    let mut python = Python {
        requirements,
        packages: packages(dir)?,
        framework: None,
    };
    let sources = Sources::read(dir, &["py"]);
    python.framework = framework(&python.packages, &sources);
    let mut detected = Detected::new(Kind::Python(python.clone()));
    start(&python, &sources, &mut detected);
    celery(&python, &sources, &mut detected);
    detected.read_from(&sources);
    let exporters = [
        "prometheus-client",
        "django-prometheus",
        "prometheus-flask-exporter",
        "prometheus-fastapi-instrumentator",
    ];
    detected.metrics_hint = exporters.iter().any(|name| python.packages.contains(*name))
        && (sources.route(&["/metrics"]).is_some() || sources.contain("Instrumentator"));
    detected.stores = stores(&python.packages);
    let django = matches!(python.framework, Some(Framework::Django { .. }));
    if django {
        django::settings(&sources, &mut detected);
    }
    if django && !detected.stores.contains(&StoreNeed::Postgres) && sources.contain("db.sqlite3") {
        detected.data_files.push("db.sqlite3".to_owned());
        detected.notes.push(
            "its database is a file, which is shared by all replicas of this machine and by nothing else: PostgreSQL is \
             better in production"
                .to_owned(),
        );
    }
    Ok(Some(detected))
}

/// Servers bind every address: the same command runs in a container, where loopback would reach nobody.
fn start(python: &Python, sources: &Sources, detected: &mut Detected) {
    let has = |name: &str| python.packages.contains(name);
    let shell = |line: String| Some(Command::Shell(line));
    let add = |name: &str| {
        format!(
            "add `{name}` to the requirements: the framework's own server is for development only"
        )
    };
    match &python.framework {
        Some(Framework::Django { module }) => {
            detected.port_hint = Some(8000);
            detected.release_hint = Some(Command::Shell(
                "python manage.py migrate --noinput".to_owned(),
            ));
            detected.default_command = if has("gunicorn") {
                shell(django::gunicorn(module, sources))
            } else if has("uvicorn") {
                shell(format!(
                    "uvicorn {module}.asgi:application --host 0.0.0.0 --port $PORT"
                ))
            } else if has("daphne") {
                shell(format!(
                    "daphne -b 0.0.0.0 -p $PORT {module}.asgi:application"
                ))
            } else {
                detected.notes.push(add("gunicorn"));
                shell("python manage.py runserver --noreload 0.0.0.0:$PORT".to_owned())
            };
        }
        Some(Framework::Flask { app }) => {
            detected.port_hint = Some(5000);
            detected.default_command = if has("gunicorn") {
                shell(format!("gunicorn '{app}' --bind 0.0.0.0:$PORT"))
            } else {
                detected.notes.push(add("gunicorn"));
                shell(format!(
                    "flask --app '{app}' run --host 0.0.0.0 --port $PORT"
                ))
            };
        }
        Some(Framework::FastApi { app }) => {
            detected.port_hint = Some(8000);
            if !has("uvicorn") && !has("fastapi") {
                detected
                    .notes
                    .push("add `uvicorn` to the requirements".to_owned());
            }
            detected.default_command = shell(format!("uvicorn {app} --host 0.0.0.0 --port $PORT"));
        }
        None => {
            let usual = ["main.py", "app.py", "server.py", "run.py"];
            let found = usual
                .iter()
                .find(|name| sources.0.iter().any(|(path, _)| path == Path::new(name)));
            match found {
                Some(name) => {
                    detected.default_command =
                        Some(Command::Exec(vec!["python".to_owned(), (*name).to_owned()]));
                    let listens = ["HTTPServer", ".listen(", "run_app", "socketserver"]
                        .iter()
                        .any(|t| sources.contain(t));
                    detected.port_hint = listens.then_some(8000);
                }
                None => detected
                    .notes
                    .push("no known framework: say what starts it with `command`".to_owned()),
            }
        }
    }
}

/// Celery's worker and its clock run beside the web service.
fn celery(python: &Python, sources: &Sources, detected: &mut Detected) {
    if !python.packages.contains("celery") {
        return;
    }
    let module = sources
        .0
        .iter()
        .find(|(_, text)| text.contains("Celery("))
        .map(|(path, _)| module_of(path));
    let module = match (module, &python.framework) {
        (_, Some(Framework::Django { module })) => module.clone(),
        (Some(module), _) => module,
        (None, _) => return,
    };
    let mut run = |name: &str, line: String| {
        detected
            .companions
            .push((name.to_owned(), Command::Shell(line)))
    };
    run(
        "worker",
        // Of several on one machine each needs a name.
        format!("celery -A {module} worker --loglevel info --hostname=celery@$HOSTNAME"),
    );
    if python.packages.contains("django-celery-beat") {
        run("beat", format!("celery -A {module} beat --loglevel info"));
    } else if sources.contain("beat_schedule") || sources.contain("BEAT_SCHEDULE") {
        // A folder of its own for when each task ran last: it can be a volume.
        run(
            "beat",
            format!("celery -A {module} beat --loglevel info --schedule=schedule/beat"),
        );
    }
}

fn framework(packages: &BTreeSet<String>, sources: &Sources) -> Option<Framework> {
    let file = |name: &str| {
        sources
            .0
            .iter()
            .find(|(path, _)| path == Path::new(name))
            .map(|(_, text)| text.as_str())
    };
    if let Some(manage) = file("manage.py")
        && let Some(settings) = quoted_after(manage, "DJANGO_SETTINGS_MODULE")
    {
        // `mysite.settings`, `config.settings.production`: the server's module stands beside the settings.
        let module = settings
            .split(".settings")
            .next()
            .unwrap_or(&settings)
            .to_owned();
        return Some(Framework::Django { module });
    }
    let object = |class: &str| {
        sources.0.iter().find_map(|(path, text)| {
            let line = text.lines().find(|line| {
                line.contains(&format!("= {class}(")) && !line.starts_with([' ', '\t', '#'])
            })?;
            let name = line.split(['=', ':']).next()?.trim();
            is_identifier(name).then(|| format!("{}:{name}", module_of(path)))
        })
    };
    let factory = |class: &str| {
        sources.0.iter().find_map(|(path, text)| {
            let made = text.contains(&format!("= {class}(")) && text.contains("def create_app(");
            made.then(|| format!("{}:create_app()", module_of(path)))
        })
    };
    if packages.contains("fastapi") || packages.contains("starlette") {
        let app = object("FastAPI").or_else(|| object("Starlette"));
        return app.map(|app| Framework::FastApi { app });
    }
    if packages.contains("flask") {
        return object("Flask")
            .or_else(|| factory("Flask"))
            .map(|app| Framework::Flask { app });
    }
    None
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !text.as_bytes()[0].is_ascii_digit()
}

/// `src/shop/app.py` is `shop.app` (with `src` on the path), `shop/__init__.py` is `shop`.
fn module_of(path: &Path) -> String {
    let path = path.strip_prefix("src").unwrap_or(path).with_extension("");
    let parts: Vec<_> = path
        .iter()
        .map(|part| part.to_string_lossy())
        .filter(|part| part != "__init__")
        .collect();
    parts.join(".")
}

/// The quoted text that follows `key` on its line, behind a comma or an equals sign.
fn quoted_after(text: &str, key: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let rest = line
            .split_once(key)?
            .1
            .trim_start_matches(['"', '\'', ']', ' ']);
        let rest = rest.trim_start_matches([',', '=', ' ']);
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        rest[1..].split(quote).next().map(str::to_owned)
    })
}

/// The names of what is required, from every file that lists some.
fn packages(dir: &Path) -> Result<BTreeSet<String>, DetectError> {
    let mut names = BTreeSet::new();
    for file in REQUIREMENTS.iter().filter(|file| file.ends_with(".txt")) {
        let text = read(&dir.join(file))?.unwrap_or_default();
        names.extend(text.lines().filter_map(package_name));
    }
    if let Some(project) = read_toml(&dir.join("pyproject.toml"))? {
        let list = |value: Option<&Value>| -> Vec<String> {
            let array = value.and_then(Value::as_array).into_iter().flatten();
            array
                .filter_map(Value::as_str)
                .filter_map(package_name)
                .collect()
        };
        names.extend(list(
            project
                .get("project")
                .and_then(|project| project.get("dependencies")),
        ));
        let poetry = project
            .get("tool")
            .and_then(|tool| tool.get("poetry")?.get("dependencies"));
        names.extend(
            poetry
                .and_then(Value::as_table)
                .into_iter()
                .flatten()
                .map(|(name, _)| normalised(name)),
        );
    }
    if let Some(pipfile) = read_toml(&dir.join("Pipfile"))? {
        let table = pipfile.get("packages").and_then(Value::as_table);
        names.extend(
            table
                .into_iter()
                .flatten()
                .map(|(name, _)| normalised(name)),
        );
    }
    Ok(names)
}

/// `Django>=4.2,<5 # why` is `django`; options, comments, URLs and paths are nothing.
fn package_name(line: &str) -> Option<String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with(['#', '-', '.', '/']) {
        return None;
    }
    let end = line
        .find(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c))
        .unwrap_or(line.len());
    (end > 0).then(|| normalised(&line[..end]))
}

fn normalised(name: &str) -> String {
    name.to_ascii_lowercase().replace(['_', '.'], "-")
}

fn stores(packages: &BTreeSet<String>) -> BTreeSet<StoreNeed> {
    let mut needs = BTreeSet::new();
    for name in packages {
        match name.as_str() {
            "psycopg" | "psycopg2" | "psycopg2-binary" | "psycopg-binary" | "asyncpg"
            | "pg8000" | "aiopg" => needs.insert(StoreNeed::Postgres),
            "redis" | "django-redis" | "channels-redis" | "celery" | "rq" | "django-rq"
            | "aioredis" | "arq" => needs.insert(StoreNeed::Redis),
            _ => false,
        };
    }
    needs
}
