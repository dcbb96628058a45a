//! Django: what its settings say about files, and how its server is started.

use super::Detected;
use crate::sources::Sources;

/// A worker answers one request at a time; three is what two cores keep busy while some wait for the database.
const WORKERS: u32 = 3;

/// Gunicorn's command, without what `gunicorn.conf.py` says, which it reads by itself.
pub(super) fn gunicorn(module: &str, sources: &Sources) -> String {
    let mut line = format!("gunicorn {module}.wsgi:application");
    if assigned(sources, "bind", |name| name == "gunicorn.conf.py").is_none() {
        line.push_str(" --bind 0.0.0.0:$PORT");
    }
    if assigned(sources, "workers", |name| name == "gunicorn.conf.py").is_none() {
        line.push_str(&format!(" --workers {WORKERS}"));
    }
    line
}

/// What the settings tell beside the names of variables: the folders of collected files and of uploads, where they name both
/// the folder and the path in front of it.
pub(super) fn settings(sources: &Sources, detected: &mut Detected) {
    // Each of them reads the variable by itself.
    if ["dj_database_url.config(", "env.db("]
        .iter()
        .any(|text| sources.contain(text))
    {
        detected.variables.insert("DATABASE_URL".to_owned());
    }
    let pair = |what: &str| {
        let value = |name: &str| {
            assigned(sources, &format!("{what}_{name}"), |file| {
                file.ends_with(".py")
            })
        };
        Some((path(value("URL")?)?, folder(value("ROOT")?)?))
    };
    if let Some((path, folder)) = pair("STATIC") {
        detected.static_files.insert(path, folder);
    }
    if let Some((path, folder)) = pair("MEDIA") {
        detected.static_files.insert(path, folder.clone());
        detected.media = Some(folder);
    }
}

/// What a module assigns to a name at its top level.
fn assigned<'a>(sources: &'a Sources, name: &str, file: impl Fn(&str) -> bool) -> Option<&'a str> {
    sources.0.iter().find_map(|(path, text)| {
        if !file(&path.to_string_lossy()) {
            return None;
        }
        text.lines().find_map(|line| {
            let value = line.strip_prefix(name)?.trim_start().strip_prefix('=')?;
            Some(value.trim())
        })
    })
}

/// `"/static/"`; Django takes `"static/"` for the same. One on another host is not ours to serve.
fn path(value: &str) -> Option<String> {
    let inner = texts(value).next()?.trim_matches('/');
    is_plain(inner).then(|| format!("/{inner}/"))
}

/// `BASE_DIR / "media"`, `os.path.join(BASE_DIR, "media")`: the last text, of a folder beside `manage.py`.
fn folder(value: &str) -> Option<String> {
    let inner = texts(value).last()?.trim_end_matches('/');
    let beside = value.contains("BASE_DIR") && !value.contains("parent");
    (beside && is_plain(inner)).then(|| inner.to_owned())
}

fn texts(value: &str) -> impl Iterator<Item = &str> {
    value.split(['"', '\'']).skip(1).step_by(2)
}

/// Whether it is a relative path of harmless letters.
fn is_plain(text: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || "_-/".contains(c);
    !text.is_empty() && !text.starts_with('/') && text.chars().all(letter)
}
