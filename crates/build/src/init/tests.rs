use std::fs;

use wharf_plan::model::{Plan, Source, VolumeSource};
use wharf_spec::diagnostic::Severity;

use super::*;

/// The plan of the proposal for a folder with these files; the proposal must pass without any diagnostic.
#[track_caller]
fn check(files: &[(&str, &str)]) -> (Plan, String) {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("My_Shop");
    for (path, text) in files {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    fs::create_dir_all(&dir).unwrap();
    let text = propose(&dir).unwrap();
    let (plan, diagnostics) = wharf_plan::resolve(text.as_bytes(), None);
    let errors: Vec<_> = diagnostics
        .iter()
        .filter(|found| found.severity == Severity::Error)
        .collect();
    assert!(errors.is_empty(), "{text}\n{errors:#?}");
    assert!(diagnostics.is_empty(), "{text}\n{diagnostics:#?}");
    (plan.unwrap(), text)
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.services
        .keys()
        .map(wharf_base::ids::Name::as_str)
        .collect()
}

fn paths(plan: &Plan) -> Vec<&str> {
    plan.routes
        .iter()
        .flat_map(|route| route.paths.keys())
        .map(String::as_str)
        .collect()
}

#[test]
fn rust() {
    let (plan, text) = check(&[
        (
            "Cargo.toml",
            "[package]\nname='api'\n[dependencies]\naxum='0.8'\nredis='1'\n",
        ),
        (
            "src/main.rs",
            "env::var(\"PORT\"); env::var(\"API_KEY\"); route(\"/health\"); route(\"/metrics\")",
        ),
    ]);
    assert_eq!(
        (plan.name.as_str(), names(&plan), paths(&plan)),
        ("my-shop", vec!["web"], vec!["/"])
    );
    assert!(
        text.contains("REDIS_URL: \"${cache.url}\"") && text.contains("probes: { http: /health }"),
        "{text}"
    );
    assert!(
        text.contains("# Its source also asks for: API_KEY")
            && !text.contains("for the variable PORT"),
        "{text}"
    );
}

#[test]
fn a_rust_workspace() {
    let (plan, _) = check(&[
        ("Cargo.toml", "[workspace]\nmembers=['crates/*']\n"),
        (
            "crates/api/Cargo.toml",
            "[package]\nname='api'\n[dependencies]\naxum='1'\n",
        ),
        ("crates/api/src/main.rs", ""),
        ("crates/jobs/Cargo.toml", "[package]\nname='jobs'\n"),
        ("crates/jobs/src/main.rs", ""),
        ("crates/lib/Cargo.toml", "[package]\nname='lib'\n"),
        ("crates/lib/src/lib.rs", ""),
    ]);
    assert_eq!(
        (names(&plan), paths(&plan)),
        (vec!["api", "jobs"], vec!["/"])
    );
}

#[test]
fn django_with_celery() {
    let (plan, text) = check(&[
        (
            "manage.py",
            "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'config.settings.local')",
        ),
        (
            "requirements.txt",
            "django\ngunicorn\npsycopg[binary]\ncelery\n",
        ),
        ("config/celery.py", "app = Celery('shop')"),
        (
            "config/settings/local.py",
            "os.environ['SECRET_KEY']; os.getenv('DB_HOST'); env('DB_PASSWORD'); CELERY_BEAT_SCHEDULE = 1",
        ),
        (".env", "SECRET_KEY=x\n"),
    ]);
    assert_eq!(names(&plan), ["beat", "web", "worker"]);
    let beat = plan.services.values().next().unwrap();
    assert!(beat.singleton);
    assert!(
        text.contains(
            "command: \"gunicorn config.wsgi:application --bind 0.0.0.0:$PORT --workers 3\""
        ),
        "{text}"
    );
    assert!(
        text.contains("DB_HOST: \"${db.host}\"")
            && text.contains("DB_PASSWORD: \"${db.password}\""),
        "{text}"
    );
    assert!(
        text.contains("release: python manage.py migrate --noinput")
            && text.contains("env_file: .env"),
        "{text}"
    );
}

#[test]
fn django_with_a_file_for_a_database() {
    let (plan, _) = check(&[
        (
            "site/manage.py",
            "'DJANGO_SETTINGS_MODULE', 'shop.settings'",
        ),
        ("site/requirements.txt", "django\n"),
        ("site/shop/settings.py", "'NAME': BASE_DIR / 'db.sqlite3'"),
    ]);
    let volume = &plan.services.values().next().unwrap().volumes[0];
    assert_eq!(volume.target, "db.sqlite3");
    let source = VolumeSource::Path("./site/db.sqlite3".to_owned());
    assert_eq!(volume.source, source);
}

#[test]
fn several_folders() {
    let (plan, text) = check(&[
        ("README.md", ""),
        (
            "frontend/package.json",
            r#"{"scripts":{"build":"vite build"},"devDependencies":{"vite":"6"}}"#,
        ),
        ("backend/requirements.txt", "fastapi\nuvicorn\nasyncpg\n"),
        ("backend/main.py", "app = FastAPI()\n"),
        ("websocket/go.mod", "module ws\n"),
        (
            "websocket/main.go",
            "package main\nfunc main() { http.ListenAndServe(os.Getenv(\"PORT\"), nil) }",
        ),
        ("docs/package.json", r#"{"scripts":{"start":"docs"}}"#),
    ]);
    assert_eq!(names(&plan), ["backend", "frontend", "websocket"]);
    assert_eq!(paths(&plan), ["/", "/api", "/ws"]);
    let Source::Build(build) = &plan.services.values().next().unwrap().source else {
        panic!("{text}")
    };
    assert_eq!(build.context, "./backend");
}

#[test]
fn a_root_with_parts() {
    let (plan, _) = check(&[
        (
            "package.json",
            r#"{"scripts":{"start":"node server.js"},"dependencies":{"express":"4"}}"#,
        ),
        ("server.js", "app.listen(process.env.PORT)"),
        (
            "client/package.json",
            r#"{"scripts":{"start":"react-scripts start","build":"react-scripts build"}}"#,
        ),
        ("lib/package.json", r#"{"scripts":{"start":"x"}}"#),
    ]);
    assert_eq!(
        (names(&plan), paths(&plan)),
        (vec!["client", "web"], vec!["/", "/client"])
    );
}

#[test]
fn what_is_not_known_is_a_comment() {
    let (_, text) = check(&[("package.json", r#"{"dependencies":{"express":"4"}}"#)]);
    assert!(
        text.contains("# package.json has no `start` script")
            && text.contains("# command: what starts it"),
        "{text}"
    );
    let (_, text) = check(&[("Dockerfile", "FROM nginx\nEXPOSE 80\n")]);
    assert!(
        text.contains("only a Dockerfile") && text.contains("port: 80"),
        "{text}"
    );
    let (_, text) = check(&[("index.html", "<p>")]);
    assert!(
        text.contains("nothing was recognised here") && text.contains("http.server $PORT"),
        "{text}"
    );
    let (_, text) = check(&[("Procfile", "web: ./run: now # \"it\"\nbad name!: x\n")]);
    assert!(
        text.contains(r##"command: "./run: now # \"it\"""##),
        "{text}"
    );
}

#[test]
fn hostile_names_pass_too() {
    check(&[
        ("äöü/package.json", r#"{"scripts":{"start":"a\nb: [c"}}"#),
        ("db/go.mod", "module db"),
        ("db/main.go", "package main"),
    ]);
}

#[test]
fn django_with_files_secrets_and_two_databases_of_redis() {
    let (plan, text) = check(&[
        ("manage.py", "'DJANGO_SETTINGS_MODULE', 'site.settings'"),
        ("gunicorn.conf.py", "bind = f\"0:{os.environ['PORT']}\"\n"),
        (
            "requirements.txt",
            "django\ngunicorn\npsycopg\ncelery\nredis\nprometheus-client\n",
        ),
        ("site/celery.py", "app = Celery('site')"),
        (
            "site/urls.py",
            "path(\"health\", ok), path('live', ok), path('metrics', shown)",
        ),
        (
            "site/settings.py",
            "SECRET_KEY = os.environ.get('SECRET_KEY')\nCACHE_URL = env('CACHE_URL')\n\
             CELERY_BROKER_URL = os.environ['CELERY_BROKER_URL']\nCELERY_BEAT_SCHEDULE = {}\n\
             STRIPE = env('STRIPE_SECRET_KEY')\nenv('DATABASE_URL')\n\
             STATIC_URL = 'assets/'\nSTATIC_ROOT = BASE_DIR / 'collected'\n\
             MEDIA_URL = '/media/'\nMEDIA_ROOT = os.path.join(BASE_DIR, \"uploads\")\n",
        ),
    ]);
    assert_eq!(names(&plan), ["beat", "web", "worker"]);
    for expected in [
        "build: { context: ., framework: django }",
        "command: \"gunicorn site.wsgi:application --workers 3\"",
        "celery@$HOSTNAME",
        "CACHE_URL: \"${cache.url}/0\"",
        "CELERY_BROKER_URL: \"${cache.url}/1\"",
        "DATABASE_URL: \"${db.url}\"",
        "SECRET_KEY: \"${secret.secret-key}\"",
        "secret-key: { generate: 50 }",
        "static_files: { /assets/: collected, /media/: uploads }",
        "probes: { readiness: { http: /health }, liveness: { http: /live } }",
        "metrics: /metrics",
        // Only its owner knows that one.
        "# Its source also asks for: STRIPE_SECRET_KEY",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    let targets = |name: &str| -> Vec<(&str, bool)> {
        let (_, service) = plan
            .services
            .iter()
            .find(|(other, _)| other.as_str() == name)
            .unwrap();
        let volumes = service.volumes.iter();
        volumes
            .map(|volume| (volume.target.as_str(), volume.shared))
            .collect()
    };
    assert_eq!(targets("web"), [("uploads", true)]);
    assert_eq!(targets("worker"), [("uploads", true)]);
    assert_eq!(targets("beat"), [("uploads", true), ("schedule", false)]);
}

#[test]
fn django_whose_files_are_elsewhere() {
    let (plan, text) = check(&[
        ("manage.py", "'DJANGO_SETTINGS_MODULE', 'site.settings'"),
        ("requirements.txt", "django\ngunicorn\n"),
        (
            "site/settings.py",
            "STATIC_URL = 'https://cdn.example.com/'\nSTATIC_ROOT = BASE_DIR / 'collected'\n\
             MEDIA_URL = '/media/'\nMEDIA_ROOT = '/srv/media'\n",
        ),
    ]);
    assert!(
        plan.services
            .values()
            .all(|service| service.volumes.is_empty()),
        "{text}"
    );
    assert!(!text.contains("static_files"), "{text}");
}

#[test]
fn several_servers_of_one_package() {
    let (plan, text) = check(&[
        (
            "server/Cargo.toml",
            "[package]\nname='talk'\n[dependencies]\naxum='0.8'\nredis='1'\ntokio-postgres='0'\n",
        ),
        ("server/migrations/V1__first.sql", ""),
        (
            "server/src/lib.rs",
            "//! Has rooms and sockets.\npub mod rooms;\nmod sockets;\nmod start;\n",
        ),
        (
            "server/src/start.rs",
            "fn variable(name: &str) { env::var(name) }\nTcpListener::bind(variable(\"PORT\"))",
        ),
        (
            "server/src/rooms.rs",
            ".route(\"/v1/rooms\", get(x)).route(\"/v1/people\", get(y)).route(\"/health\", z)",
        ),
        ("server/src/sockets.rs", ".route(\"/live-feed\", get(x))"),
        (
            "server/src/bin/rest.rs",
            "use talk::{rooms, start}; let sockets = 1; start::variable(\"DATABASE_URL\"); start::variable(\"JWT_SECRET\"); [\"migrate\"]",
        ),
        (
            "server/src/bin/feed.rs",
            "use talk::{sockets, start}; start::variable(\n    \"REDIS_URL\",\n)",
        ),
        ("server/src/bin/tool.rs", "fn main() {}"),
        (
            "frontend/package.json",
            r#"{"scripts":{"build":"vite build"},"dependencies":{"react":"18"},"devDependencies":{"vite":"6"}}"#,
        ),
    ]);
    assert!(
        text.contains("build: { context: ./frontend, framework: react }")
            && !text.contains("preview("),
        "{text}"
    );
    assert_eq!(names(&plan), ["feed", "frontend", "rest"]);
    assert_eq!(paths(&plan), ["/", "/live-feed", "/v1"]);
    let Source::Build(build) = &plan.services.values().next().unwrap().source else {
        panic!("{text}")
    };
    assert_eq!(
        (build.context.as_str(), build.program.as_deref()),
        ("./server", Some("feed"))
    );
    let (feed, rest) = text.split_once("  rest:").unwrap();
    assert!(
        feed.contains("REDIS_URL: \"${cache.url}\"")
            && !feed.contains("DATABASE_URL")
            && !feed.contains("release:"),
        "{text}"
    );
    for expected in [
        "DATABASE_URL: \"${db.url}\"",
        "JWT_SECRET: \"${secret.jwt-secret}\"",
        "probes: { http: /health }",
        "look whether `./rest migrate` runs them",
        "release: ./rest migrate",
    ] {
        assert!(rest.contains(expected), "{expected}\n{text}");
    }
    let service = rest.split_once("stores:").unwrap().0;
    assert!(!service.contains("REDIS_URL"), "{text}");
}
