use super::*;

/// A folder with these files.
pub(crate) fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

struct Expected {
    label: &'static str,
    command: Option<&'static str>,
    port: Option<u16>,
    health: Option<&'static str>,
    stores: &'static [StoreNeed],
}

#[track_caller]
fn check(files: &[(&str, &str)], expected: &Expected) -> Detected {
    let dir = folder(files);
    let found = detect(dir.path()).unwrap();
    assert_eq!(found.kind.label(), expected.label);
    assert_eq!(
        found
            .default_command
            .as_ref()
            .map(ToString::to_string)
            .as_deref(),
        expected.command
    );
    assert_eq!(found.port_hint, expected.port);
    assert_eq!(found.health_hint.as_deref(), expected.health);
    assert_eq!(
        found.stores.iter().copied().collect::<Vec<_>>(),
        expected.stores
    );
    found
}

#[test]
fn cargo() {
    check(
        &[
            (
                "Cargo.toml",
                "[package]\nname = 'shop'\n[dependencies]\naxum = '0.8'\nsqlx = { version = '1', features = ['postgres'] }\n",
            ),
            ("src/main.rs", "route(\"/healthz\", get(ok))"),
        ],
        &Expected {
            label: "Rust",
            command: Some("./shop"),
            port: Some(8080),
            health: Some("/healthz"),
            stores: &[StoreNeed::Postgres],
        },
    );
    let nothing = Expected {
        label: "Rust",
        command: None,
        port: None,
        health: None,
        stores: &[],
    };
    let found = check(
        &[
            (
                "Cargo.toml",
                "[package]\nname = 'two'\n[[bin]]\nname = 'named'\npath = 'src/main.rs'\n",
            ),
            ("src/main.rs", ""),
            ("src/bin/other.rs", ""),
            ("src/bin/third/main.rs", ""),
        ],
        &nothing,
    );
    let Kind::Cargo(cargo) = &found.kind else {
        panic!("{found:?}")
    };
    assert_eq!(cargo.bins, ["named", "other", "third"]);
    assert!(
        found.notes[0].contains("several programs"),
        "{:?}",
        found.notes
    );
    let found = check(
        &[
            (
                "Cargo.toml",
                "[workspace]\nmembers = ['crates/*']\nexclude = ['crates/old']\n",
            ),
            (
                "crates/api/Cargo.toml",
                "[package]\nname = 'api'\ndefault-run = 'api'",
            ),
            ("crates/api/src/main.rs", ""),
            ("crates/lib/Cargo.toml", "[package]\nname = 'lib'"),
            ("crates/lib/src/lib.rs", ""),
            ("crates/old/Cargo.toml", "[package]\nname = 'old'"),
            ("crates/old/src/main.rs", ""),
        ],
        &Expected {
            command: Some("./api"),
            ..nothing
        },
    );
    let Kind::Cargo(cargo) = &found.kind else {
        panic!("{found:?}")
    };
    assert_eq!(cargo.members, [PathBuf::from("crates/api")]);
}

#[test]
fn node() {
    check(
        &[
            (
                "package.json",
                r#"{"scripts":{"start":"node server.js"},"dependencies":{"express":"^4","ioredis":"5"}}"#,
            ),
            ("package-lock.json", "{}"),
            ("server.js", "app.get('/health', ok)"),
        ],
        &Expected {
            label: "Node.js",
            command: Some("node server.js"),
            port: Some(3000),
            health: Some("/health"),
            stores: &[StoreNeed::Redis],
        },
    );
    let found = check(
        &[
            (
                "package.json",
                r#"{"scripts":{"build":"vite build"},"devDependencies":{"vite":"6"}}"#,
            ),
            ("yarn.lock", ""),
        ],
        &Expected {
            label: "Node.js",
            command: Some(
                "node --input-type=module -e \"import { preview } from 'vite'; await preview({ configFile: false, preview: { host: true, port: Number(process.env.PORT), strictPort: true, allowedHosts: true } })\"",
            ),
            port: Some(3000),
            health: None,
            stores: &[],
        },
    );
    assert!(matches!(
        found.kind,
        Kind::Node(Node {
            manager: Manager::Yarn,
            locked: true,
            ..
        })
    ));
    let found = check(
        &[
            (
                "package.json",
                r#"{"main":"lib.js","dependencies":{"a":"file:../a"}}"#,
            ),
            ("lib.js", ""),
        ],
        &Expected {
            label: "Node.js",
            command: Some("node lib.js"),
            port: None,
            health: None,
            stores: &[],
        },
    );
    assert!(matches!(
        found.kind,
        Kind::Node(Node {
            reaches_out: true,
            react_page: false,
            locked: false,
            ..
        })
    ));
}

#[test]
fn django_with_celery() {
    let manage = "os.environ.setdefault(\"DJANGO_SETTINGS_MODULE\", \"shop.settings\")";
    let found = check(
        &[
            ("manage.py", manage),
            (
                "requirements.txt",
                "Django==4.2.1\ngunicorn\npsycopg2-binary>=2\nCelery[redis]~=5.2 # queue\n-e .\n",
            ),
            ("shop/urls.py", "urlpatterns = [path('health/', ok)]"),
            ("shop/settings.py", "CELERY_BEAT_SCHEDULE = {}"),
        ],
        &Expected {
            label: "Django",
            command: Some("gunicorn shop.wsgi:application --bind 0.0.0.0:$PORT --workers 3"),
            port: Some(8000),
            health: Some("/health/"),
            stores: &[StoreNeed::Postgres, StoreNeed::Redis],
        },
    );
    let names: Vec<_> = found
        .companions
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["worker", "beat"]);
    assert_eq!(
        found.release_hint,
        Some(Command::Shell(
            "python manage.py migrate --noinput".to_owned()
        ))
    );
}

#[test]
fn flask_and_fastapi() {
    let expected = |label, command, port| Expected {
        label,
        command: Some(command),
        port: Some(port),
        health: None,
        stores: &[],
    };
    check(
        &[
            ("requirements.txt", "flask\ngunicorn\n"),
            ("app.py", "app = Flask(__name__)\n"),
        ],
        &expected("Flask", "gunicorn 'app:app' --bind 0.0.0.0:$PORT", 5000),
    );
    check(
        &[
            ("requirements.txt", "flask\n"),
            (
                "shop/__init__.py",
                "def create_app():\n    app = Flask(__name__)\n    return app\n",
            ),
        ],
        &expected(
            "Flask",
            "flask --app 'shop:create_app()' run --host 0.0.0.0 --port $PORT",
            5000,
        ),
    );
    check(
        &[
            (
                "pyproject.toml",
                "[project]\nname='x'\ndependencies=['fastapi[standard]>=0.110']\n",
            ),
            ("src/shop/main.py", "api: FastAPI = FastAPI()\n"),
        ],
        &expected(
            "FastAPI",
            "uvicorn shop.main:api --host 0.0.0.0 --port $PORT",
            8000,
        ),
    );
}

#[test]
fn go_and_dockerfile_and_procfile() {
    check(
        &[
            (
                "go.mod",
                "module example.com/shop/v2\n\nrequire github.com/jackc/pgx/v5 v5.0.0\n",
            ),
            (
                "main.go",
                "package main\n\nfunc main() { http.ListenAndServe(a, nil) }\n",
            ),
            ("Dockerfile", "FROM scratch\nEXPOSE 9000/tcp\n"),
        ],
        &Expected {
            label: "Go",
            command: Some("./shop"),
            port: Some(9000),
            health: None,
            stores: &[StoreNeed::Postgres],
        },
    );
    let nothing = Expected {
        label: "Dockerfile",
        command: None,
        port: Some(80),
        health: None,
        stores: &[],
    };
    check(
        &[("Dockerfile", "FROM nginx\nexpose 53/udp 80\n")],
        &nothing,
    );
    let found = check(
        &[(
            "Procfile",
            "web: ./run $PORT\nworker: ./work\n# note\nrelease: ./migrate\n",
        )],
        &Expected {
            label: "unknown",
            command: Some("./run $PORT"),
            port: None,
            ..nothing
        },
    );
    assert_eq!(found.companions.len(), 1);
    assert_eq!(
        found.release_hint,
        Some(Command::Shell("./migrate".to_owned()))
    );
}

#[test]
fn broken_project_files_are_named() {
    #[track_caller]
    fn check(name: &str, text: &str) {
        let dir = folder(&[(name, text)]);
        let error = detect(dir.path()).unwrap_err();
        assert!(
            matches!(&error, DetectError::Malformed { path, .. } if path.ends_with(name)),
            "{error:?}"
        );
    }
    check("Cargo.toml", "[package");
    check("package.json", "{");
    check("pyproject.toml", "x = ");
    assert!(matches!(
        detect(Path::new("/no/such/folder")),
        Err(DetectError::NoFolder(_))
    ));
}
