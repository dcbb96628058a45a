//! What is installed into a virtual environment, and by which tool: from the files that list requirements.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::Job;
use super::requirements::{Listing, of_pipfile_lock, of_pyproject};
use crate::detect::Python;
use crate::error::BuildError;
use crate::process::Step;
use crate::snapshot::Fingerprint;
use crate::tool;

/// What is to be installed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Installer {
    how: How,
    /// The files that decide what is installed, with their content.
    inputs: Vec<(PathBuf, Vec<u8>)>,
    /// Whether the project itself is installed too, so that the environment depends on all of it.
    pub(super) needs_project: bool,
    /// Whether something outside of the folder is installed.
    pub(super) reaches_out: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum How {
    Nothing,
    /// A requirements file of the project.
    File(PathBuf),
    /// Requirements that were read from another file, one a line.
    Listed(String),
    /// The project with its requirements.
    Project,
    Uv,
    Poetry,
}

/// Finds out what is to be installed.
pub(super) fn installer(job: &Job, found: &Python) -> Result<Installer, BuildError> {
    let Some(file) = &found.requirements else {
        return Ok(Installer {
            how: How::Nothing,
            inputs: vec![],
            needs_project: false,
            reaches_out: false,
        });
    };
    let name = file.to_string_lossy();
    let how = match name.as_ref() {
        "uv.lock" if tool::find("uv").is_some() => How::Uv,
        "poetry.lock" if tool::find("poetry").is_some() => How::Poetry,
        "Pipfile.lock" => How::Listed(of_pipfile_lock(&job.context.join(file))?),
        "uv.lock" | "poetry.lock" => {
            let manager = name.trim_end_matches(".lock");
            let how = how_of(of_pyproject(&job.context)?);
            job.warn(format!("`{manager}` is not installed, so {name} is not followed and requirements are whatever is newest now"));
            how
        }
        "pyproject.toml" => how_of(of_pyproject(&job.context)?),
        _ => How::File(file.clone()),
    };
    let mut installer = Installer {
        how,
        inputs: vec![],
        needs_project: false,
        reaches_out: false,
    };
    installer.needs_project = installer.how == How::Project;
    if let How::File(path) = &installer.how {
        let path = path.clone();
        installer.follow(&job.context, &path, &mut BTreeSet::new());
    } else {
        for name in [name.as_ref(), "pyproject.toml", "setup.cfg"] {
            installer.inputs.push((
                name.into(),
                fs::read(job.context.join(name)).unwrap_or_default(),
            ));
        }
    }
    if installer.reaches_out {
        job.warn(format!(
            "requirements of {} lie outside of it, so they are installed at each build",
            job.context.display()
        ));
    }
    Ok(installer)
}

fn how_of(listing: Listing) -> How {
    match listing {
        Listing::Lines(lines) => How::Listed(lines),
        Listing::Project => How::Project,
    }
}

impl Installer {
    pub(super) fn add_to(&self, key: &mut Fingerprint) {
        key.add(format!("{:?}", self.how).as_bytes());
        for (path, content) in &self.inputs {
            key.add(path.as_os_str().as_encoded_bytes());
            key.add(content);
        }
    }

    /// Reads a requirements file and the ones it names (`-r`, `-c`), and sees what in them is a folder.
    fn follow(&mut self, context: &Path, path: &Path, seen: &mut BTreeSet<PathBuf>) {
        let path = &normal(path);
        if !seen.insert(path.to_owned()) {
            return;
        }
        let content = fs::read(context.join(path)).unwrap_or_default();
        let text = String::from_utf8_lossy(&content).into_owned();
        self.inputs.push((path.to_owned(), content));
        for line in text.lines().map(str::trim) {
            let option = ["-r", "--requirement", "-c", "--constraint"]
                .iter()
                .find_map(|option| Some(line.strip_prefix(option)?.trim_start_matches(['=', ' '])));
            if let Some(other) = option {
                let other = other.split(" #").next().unwrap_or(other).trim();
                let folder = path.parent().unwrap_or(Path::new(""));
                self.follow(context, &folder.join(other), seen);
                continue;
            }
            let editable = ["-e", "--editable"]
                .iter()
                .find_map(|option| line.strip_prefix(option));
            let target = editable.unwrap_or(line).trim_start_matches(['=', ' ']);
            let target = target.strip_prefix("file:").unwrap_or(target);
            if target.starts_with("../") || target.starts_with('/') || target == ".." {
                self.reaches_out = true;
            } else if target.starts_with('.') || (editable.is_some() && !target.contains("://")) {
                self.needs_project = true;
            }
        }
    }

    /// The commands that install into `venv`.
    pub(super) fn steps(
        &self,
        job: &Job,
        venv: &Path,
        uv: Option<&Path>,
    ) -> Result<Vec<Step>, BuildError> {
        let arguments: Vec<OsString> = match &self.how {
            How::Nothing => return Ok(Vec::new()),
            How::Uv => {
                let argv = ["uv", "sync", "--frozen", "--no-dev", "--no-install-project"];
                return Ok(vec![
                    Step::new(argv, &job.context).env([("UV_PROJECT_ENVIRONMENT", venv)]),
                ]);
            }
            How::Poetry => {
                let argv = [
                    "poetry",
                    "install",
                    "--only",
                    "main",
                    "--no-root",
                    "--no-interaction",
                ];
                let bin = venv.join("bin").into_os_string();
                let mut path = bin;
                path.push(":");
                path.push(std::env::var_os("PATH").unwrap_or_default());
                let variables = [("VIRTUAL_ENV", venv.as_os_str().to_owned()), ("PATH", path)];
                return Ok(vec![Step::new(argv, &job.context).env(variables)]);
            }
            How::File(path) => vec!["-r".into(), path.clone().into_os_string()],
            How::Listed(lines) if lines.is_empty() => return Ok(Vec::new()),
            How::Listed(lines) => {
                let path = venv.join("wharf-requirements.txt");
                fs::write(&path, lines).map_err(|e| BuildError::io("cannot write", &path, e))?;
                vec!["-r".into(), path.into_os_string()]
            }
            How::Project => vec![".".into()],
        };
        let python = venv.join("bin/python").into_os_string();
        let mut argv: Vec<OsString> = match uv {
            Some(uv) => {
                let mut argv: Vec<OsString> = vec![uv.into()];
                argv.extend(["pip", "install", "--python"].map(Into::into));
                argv.push(python);
                argv
            }
            None => {
                let mut argv = vec![python];
                argv.extend(
                    [
                        "-m",
                        "pip",
                        "install",
                        "--no-input",
                        "--disable-pip-version-check",
                    ]
                    .map(Into::into),
                );
                argv
            }
        };
        argv.extend(arguments.iter().cloned());
        let tool = if uv.is_some() {
            "uv pip install"
        } else {
            "pip install"
        };
        let shown = match &self.how {
            How::Listed(_) => format!("{tool} (requirements of the project)"),
            _ => format!(
                "{tool} {}",
                arguments
                    .iter()
                    .map(|a| a.to_string_lossy())
                    .collect::<Vec<_>>()
                    .join(" ")
            ),
        };
        Ok(vec![Step::new(argv, &job.context).shown(shown)])
    }
}

/// The path without `.` and `x/..`, so that a file has one name.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if normal.file_name().is_some_and(|name| name != "..") => {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal
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
    fn requirement_files_are_followed() {
        #[track_caller]
        fn check(text: &str, needs_project: bool, reaches_out: bool) {
            let dir = folder(&[
                ("requirements.txt", text),
                ("requirements/base.txt", "-r ../requirements.txt\nx\n"),
            ]);
            let mut found = Installer {
                how: How::Nothing,
                inputs: vec![],
                needs_project: false,
                reaches_out: false,
            };
            found.follow(
                dir.path(),
                Path::new("requirements.txt"),
                &mut BTreeSet::new(),
            );
            assert_eq!(
                (found.needs_project, found.reaches_out),
                (needs_project, reaches_out),
                "{text}"
            );
        }
        check("a\nb==1 # c\n", false, false);
        check("-r requirements/base.txt # loops\n", false, false);
        check("-e .\n", true, false);
        check("./lib\n", true, false);
        check("-e ../lib\n", false, true);
        check("--editable git+https://example.com/x\n", false, false);
    }
}
