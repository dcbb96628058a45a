//! Requirements that stand in other files than `requirements.txt`, as lines that pip reads.

use std::fs;
use std::path::Path;

use toml::Value;

use crate::error::BuildError;

/// What a project file requires.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Listing {
    /// Requirements, one a line.
    Lines(String),
    /// What only the project's own build knows.
    Project,
}

/// The requirements of `[project]`; the project itself where it has commands of its own or says them only while it is built.
pub(super) fn of_pyproject(context: &Path) -> Result<Listing, BuildError> {
    let path = context.join("pyproject.toml");
    let text = fs::read_to_string(&path).map_err(|e| BuildError::io("cannot read", &path, e))?;
    // `detect` has read it before; what does not parse any more has changed meanwhile.
    let table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
        BuildError::io(
            "cannot understand",
            &path,
            std::io::Error::other(e.message().to_owned()),
        )
    })?;
    let Some(project) = table.get("project").and_then(Value::as_table) else {
        let poetry = table
            .get("tool")
            .and_then(|tool| tool.get("poetry"))
            .and_then(Value::as_table);
        return Ok(poetry.map_or(Listing::Lines(String::new()), of_poetry));
    };
    let dynamic = project.get("dynamic").and_then(Value::as_array);
    let dynamic = dynamic.is_some_and(|names| {
        names
            .iter()
            .any(|name| name.as_str() == Some("dependencies"))
    });
    if dynamic
        || ["scripts", "gui-scripts", "entry-points"]
            .iter()
            .any(|key| project.contains_key(*key))
    {
        return Ok(Listing::Project);
    }
    let listed = project
        .get("dependencies")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    Ok(Listing::Lines(
        listed.map(|line| format!("{line}\n")).collect(),
    ))
}

/// The main dependencies of `[tool.poetry]`; the project itself where it has commands of its own, or a dependency that is no
/// package of the index.
fn of_poetry(poetry: &toml::Table) -> Listing {
    if poetry.contains_key("scripts") {
        return Listing::Project;
    }
    let table = poetry.get("dependencies").and_then(Value::as_table);
    let mut lines = String::new();
    for (name, value) in table
        .into_iter()
        .flatten()
        .filter(|(name, _)| *name != "python")
    {
        let of_table = |key: &str| value.get(key).and_then(Value::as_str);
        if value.get("optional").and_then(Value::as_bool) == Some(true) {
            continue;
        }
        let version = value.as_str().or(of_table("version"));
        let Some(specifier) = version.and_then(specifier) else {
            return Listing::Project;
        };
        let extras = value.get("extras").and_then(Value::as_array);
        let extras: Vec<&str> = extras
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let extras = if extras.is_empty() {
            String::new()
        } else {
            format!("[{}]", extras.join(","))
        };
        let markers = of_table("markers").map(|markers| format!(" ; {markers}"));
        lines.push_str(&format!(
            "{name}{extras}{specifier}{}\n",
            markers.unwrap_or_default()
        ));
    }
    Listing::Lines(lines)
}

/// Poetry's version constraint as one of PEP 440: `^1.2` is `>=1.2,<2`. None for a choice (`||`).
/// <https://python-poetry.org/docs/dependency-specification/>
fn specifier(constraint: &str) -> Option<String> {
    let parts: Vec<String> = constraint
        .split(',')
        .map(|part| one_specifier(part.trim()))
        .collect::<Option<_>>()?;
    Some(
        parts
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(","),
    )
}

fn one_specifier(part: &str) -> Option<String> {
    if part.contains('|') || part.contains(' ') && !part.starts_with(['<', '>', '=', '!', '~']) {
        return None;
    }
    if part == "*" {
        return Some(String::new());
    }
    let caret = part.strip_prefix('^');
    let tilde = part.strip_prefix('~').filter(|rest| !rest.starts_with('='));
    let Some(version) = caret.or(tilde).map(str::trim) else {
        let bare = part.starts_with(|c: char| c.is_ascii_digit());
        return Some(if bare {
            format!("=={part}")
        } else {
            part.replace(' ', "")
        });
    };
    let numbers: Vec<u64> = version
        .split('.')
        .map_while(|number| number.parse().ok())
        .collect();
    // Caret: the first number that is not zero may not change; tilde: the second, if there is one.
    let fixed = if caret.is_some() {
        numbers
            .iter()
            .position(|number| *number > 0)
            .unwrap_or(numbers.len().saturating_sub(1))
    } else {
        numbers.len().saturating_sub(1).min(1)
    };
    let mut above: Vec<u64> = numbers.get(..=fixed)?.to_vec();
    let last = above.last_mut()?;
    *last = last.checked_add(1)?;
    let above: Vec<String> = above.iter().map(ToString::to_string).collect();
    Some(format!(">={version},<{}", above.join(".")))
}

/// The pinned packages of Pipenv's lock file, section `default`.
pub(super) fn of_pipfile_lock(path: &Path) -> Result<String, BuildError> {
    let text = fs::read(path).map_err(|e| BuildError::io("cannot read", path, e))?;
    let lock: serde_json::Value = serde_json::from_slice(&text)
        .map_err(|e| BuildError::io("cannot understand", path, e.into()))?;
    let mut lines = String::new();
    for (name, package) in lock
        .get("default")
        .and_then(serde_json::Value::as_object)
        .into_iter()
        .flatten()
    {
        let text = |key: &str| package.get(key).and_then(serde_json::Value::as_str);
        let extras: Vec<_> = package
            .get("extras")
            .and_then(|extras| extras.as_array())
            .into_iter()
            .flatten()
            .filter_map(|e| e.as_str())
            .collect();
        let extras = if extras.is_empty() {
            String::new()
        } else {
            format!("[{}]", extras.join(","))
        };
        let markers = text("markers")
            .map(|markers| format!(" ; {markers}"))
            .unwrap_or_default();
        lines.push_str(&format!(
            "{name}{extras}{}{markers}\n",
            text("version").unwrap_or_default()
        ));
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    #[test]
    fn pyproject() {
        #[track_caller]
        fn check(text: &str, expected: Listing) {
            let dir = folder(&[("pyproject.toml", text)]);
            assert_eq!(of_pyproject(dir.path()).unwrap(), expected);
        }
        check(
            "[project]\nname='x'\ndependencies=['a>1','b']",
            Listing::Lines("a>1\nb\n".to_owned()),
        );
        check(
            "[project]\nname='x'\n[project.scripts]\nx='x:main'",
            Listing::Project,
        );
        check(
            "[project]\nname='x'\ndynamic=['dependencies']",
            Listing::Project,
        );
        check(
            "[tool.poetry]\n[tool.poetry.scripts]\nx='x:y'",
            Listing::Project,
        );
        check(
            "[tool.poetry.dependencies]\npython='^3.10'\na='^1.2'\nb={version='~2',extras=['x'],markers=\"os_name=='nt'\"}\nc={version='1',optional=true}",
            Listing::Lines("a>=1.2,<2\nb[x]>=2,<3 ; os_name=='nt'\n".to_owned()),
        );
        check(
            "[tool.poetry.dependencies]\na={git='https://example.com/a'}",
            Listing::Project,
        );
        check("[tool.ruff]\n", Listing::Lines(String::new()));
    }

    #[test]
    fn constraints_of_poetry() {
        #[track_caller]
        fn check(constraint: &str, expected: Option<&str>) {
            assert_eq!(specifier(constraint).as_deref(), expected, "{constraint}");
        }
        check("^1.2.3", Some(">=1.2.3,<2"));
        check("^0.2.3", Some(">=0.2.3,<0.3"));
        check("^0.0.3", Some(">=0.0.3,<0.0.4"));
        check("^0.0", Some(">=0.0,<0.1"));
        check("^0", Some(">=0,<1"));
        check("~1.2.3", Some(">=1.2.3,<1.3"));
        check("~1", Some(">=1,<2"));
        check("~=1.4", Some("~=1.4"));
        check("*", Some(""));
        check("1.*", Some("==1.*"));
        check(">=1.0, <2", Some(">=1.0,<2"));
        check("^1 || ^2", None);
        check("^", None);
    }

    #[test]
    fn pipfile_lock() {
        let dir = folder(&[(
            "Pipfile.lock",
            r#"{"default":{"a":{"version":"==1.0","extras":["x"],"markers":"python_version > '3'"},"b":{"version":"==2"}},"develop":{"c":{}}}"#,
        )]);
        let lines = of_pipfile_lock(&dir.path().join("Pipfile.lock")).unwrap();
        assert_eq!(lines, "a[x]==1.0 ; python_version > '3'\nb==2\n");
    }
}
