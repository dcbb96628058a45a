//! The tools that builds call: whether they are there, which ones they are, how to get them.

use std::env;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::BuildError;

/// The first program of that name on `PATH`.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|program| is_program(program))
}

pub(crate) fn is_program(path: &Path) -> bool {
    fs::metadata(path)
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// [`find`], or an error that says how `name` is installed.
pub(crate) fn require(name: &str, dir: &Path) -> Result<PathBuf, BuildError> {
    find(name).ok_or_else(|| BuildError::ToolMissing {
        tool: name.to_owned(),
        dir: dir.to_owned(),
        install: install_hint(name, &os_release()),
    })
}

/// What tells one installed version of a program from another without running it: its real path, size and time.
pub(crate) fn identity(program: &Path) -> String {
    let real = program
        .canonicalize()
        .unwrap_or_else(|_| program.to_owned());
    match fs::metadata(&real) {
        Ok(m) => format!(
            "{} {} {}.{}",
            real.display(),
            m.size(),
            m.mtime(),
            m.mtime_nsec()
        ),
        Err(_) => real.display().to_string(),
    }
}

/// Whether every user of this system can run it: not so for what lies in root's home folder.
pub(crate) fn open_to_all(program: &Path) -> bool {
    let Ok(real) = program.canonicalize() else {
        return false;
    };
    real.ancestors()
        .all(|path| fs::metadata(path).is_ok_and(|m| m.permissions().mode() & 0o001 != 0))
}

pub(crate) fn os_release() -> String {
    if cfg!(target_os = "macos") {
        "ID=macos".to_owned()
    } else {
        fs::read_to_string("/etc/os-release").unwrap_or_default()
    }
}

/// The command that installs `tool` on the system that os-release(5) describes.
pub(crate) fn install_hint(tool: &str, os_release: &str) -> String {
    match tool {
        "cargo" => return "install Rust with `curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh`".to_owned(),
        "uv" => return "install it with `curl -LsSf https://astral.sh/uv/install.sh | sh`".to_owned(),
        "pnpm" | "yarn" => return format!("install it with `npm install -g {tool}`"),
        "poetry" | "pipenv" => return format!("install it with `pipx install {tool}`"),
        _ => {}
    }
    let words: String = os_release
        .lines()
        .filter_map(|line| {
            line.strip_prefix("ID=")
                .or_else(|| line.strip_prefix("ID_LIKE="))
        })
        .collect::<Vec<_>>()
        .join(" ")
        .replace(['"', '\''], "");
    let family = words.split_whitespace().find_map(|word| match word {
        "debian" | "ubuntu" => Some((
            "sudo apt-get install",
            [
                ("npm", "npm"),
                ("go", "golang-go"),
                ("python3", "python3-venv"),
            ],
        )),
        "rhel" | "fedora" | "centos" | "amzn" => Some((
            "sudo dnf install",
            [
                ("npm", "nodejs-npm"),
                ("go", "golang"),
                ("python3", "python3-pip"),
            ],
        )),
        "alpine" => Some((
            "sudo apk add",
            [("npm", "npm"), ("go", "go"), ("python3", "python3")],
        )),
        "arch" => Some((
            "sudo pacman -S",
            [("npm", "npm"), ("go", "go"), ("python3", "python")],
        )),
        "suse" | "opensuse" => Some((
            "sudo zypper install",
            [("npm", "npm"), ("go", "go"), ("python3", "python3")],
        )),
        "macos" => Some((
            "brew install",
            [("npm", "node"), ("go", "go"), ("python3", "python")],
        )),
        _ => None,
    });
    let tool = if tool == "node" { "npm" } else { tool };
    match family {
        Some((command, packages)) => {
            let package = packages
                .iter()
                .find(|(name, _)| *name == tool)
                .map_or(tool, |(_, package)| package);
            format!("install it with `{command} {package}`")
        }
        None => format!("install the package `{tool}` of your system"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_name_the_command_of_the_system() {
        #[track_caller]
        fn check(tool: &str, os_release: &str, expected: &str) {
            assert_eq!(install_hint(tool, os_release), expected);
        }
        check(
            "go",
            "ID=debian\n",
            "install it with `sudo apt-get install golang-go`",
        );
        check(
            "python3",
            "ID=x\nID_LIKE=\"ubuntu debian\"\n",
            "install it with `sudo apt-get install python3-venv`",
        );
        check("node", "ID=macos", "install it with `brew install node`");
        check("go", "", "install the package `go` of your system");
        check("yarn", "", "install it with `npm install -g yarn`");
    }

    #[test]
    fn a_missing_tool_is_an_error_with_a_hint() {
        let error = require("no-such-tool-anywhere", Path::new("/app")).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("`no-such-tool-anywhere` is needed to build /app"),
            "{error}"
        );
    }
}
