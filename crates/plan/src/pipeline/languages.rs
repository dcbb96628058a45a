//! Languages: what has to be installed for a command, and how a coverage gate is said to it.

use wharf_base::units::Percent;

use super::{Context, Run, Setup, tidy};
use crate::model::{Language, Source, Toolchain};

/// The Python that scanners written in it run with, whatever the application is written in.
pub const TOOLS_PYTHON: &str = "3.12";

/// Tools of Python that checks are written with, each at a version that every Python from 3.9 on can install.
const PYTHON_TOOLS: [(&str, &str); 3] = [
    ("flake8", "flake8==7.3.0"),
    ("black", "black==25.1.0"),
    ("pytest", "pytest==8.4.2 pytest-cov==6.3.0"),
];

/// What measures the coverage of Rust.
const LLVM_COV: &str = "cargo-llvm-cov --version 0.9.1";

/// The language of a check: what the file says, else that of the build in its folder, else that of its program.
pub(super) fn of_check(
    context: &Context<'_>,
    said: Option<Language>,
    folder: &str,
    command: &str,
) -> Option<Language> {
    said.or_else(|| toolchain(context, folder).map(|toolchain| toolchain.language))
        .or_else(|| of_program(command))
}

/// The language of a program's name.
pub(super) fn of_program(command: &str) -> Option<Language> {
    match command.split_whitespace().next()? {
        "cargo" => Some(Language::Rust),
        "pytest" | "python" | "python3" | "flake8" | "black" => Some(Language::Python),
        "npm" | "npx" | "node" => Some(Language::Node),
        "go" => Some(Language::Go),
        _ => None,
    }
}

/// The toolchain of the build in `folder`.
fn toolchain<'a>(context: &Context<'a>, folder: &str) -> Option<&'a Toolchain> {
    let folder = tidy(folder);
    context
        .base
        .services
        .values()
        .find_map(|service| match &service.source {
            Source::Build(build) if tidy(&build.context) == folder => build.toolchain.as_ref(),
            _ => None,
        })
}

/// The set-up of a language for the sources of `folder`.
pub(super) fn setup(context: &Context<'_>, language: Language, folder: &str) -> Setup {
    let of_build = toolchain(context, folder)
        .filter(|toolchain| toolchain.language == language)
        .and_then(|toolchain| toolchain.version.clone());
    let of_file = |tool: &str| context.base.versions.get(tool).cloned();
    let version = of_build.or_else(|| match language {
        Language::Python => Some(of_file("python").unwrap_or_else(|| "3.12".to_owned())),
        Language::Node => Some(of_file("node").unwrap_or_else(|| "22".to_owned())),
        Language::Go => Some(of_file("go").unwrap_or_else(|| "stable".to_owned())),
        Language::Rust => of_file("rust"),
    });
    Setup::Language {
        language,
        version,
        folder: Some(tidy(folder)),
    }
}

/// The step that installs what the sources of `folder` and `command` need; none: nothing has to be.
pub(super) fn install(
    language: Language,
    folder: &str,
    command: &str,
    coverage: bool,
) -> Option<Run> {
    let program = command.split_whitespace().next().unwrap_or_default();
    let script = match language {
        Language::Python => {
            let tool = PYTHON_TOOLS.iter().find(|(name, _)| *name == program);
            let tool = tool.map(|(_, install)| *install);
            match (program, tool) {
                // Checkers of style read the source and import none of it.
                ("flake8" | "black", Some(tool)) => format!("python -m pip install {tool}"),
                (_, tool) => {
                    let mut script = "if [ -f requirements.txt ]; then\n  python -m pip install --requirement requirements.txt\nelse\n  python -m pip install .\nfi".to_owned();
                    if let Some(tool) = tool {
                        script.push_str("\npython -m pip install ");
                        script.push_str(tool);
                    }
                    script
                }
            }
        }
        Language::Node => "npm ci".to_owned(),
        Language::Rust if coverage => format!(
            "rustup component add llvm-tools\ncommand -v cargo-llvm-cov || cargo install --locked {LLVM_COV}"
        ),
        Language::Rust if command.contains("clippy") => "rustup component add clippy".to_owned(),
        Language::Rust if command.contains(" fmt") => "rustup component add rustfmt".to_owned(),
        Language::Rust | Language::Go => return None,
    };
    Some(Run::new("Install", script).within(&tidy(folder)))
}

/// A test's command that fails below `least`, and the report it leaves; none where it is not known how to say it.
pub(super) fn with_coverage(command: &str, least: Percent) -> Option<(String, &'static str)> {
    let (program, rest) = command
        .split_once(' ')
        .map_or((command, ""), |(program, rest)| (program, rest));
    let arguments = if rest.is_empty() {
        String::new()
    } else {
        format!(" {rest}")
    };
    let number = least.to_string();
    let number = number.trim_end_matches('%');
    match (program, rest.split_whitespace().next()) {
        ("pytest", _) => Some((
            format!(
                "pytest{arguments} --cov --cov-report=term --cov-report=xml --cov-fail-under={number}"
            ),
            "coverage.xml",
        )),
        ("cargo", Some("test")) => {
            let arguments = rest.trim_start_matches("test");
            Some((
                format!(
                    "cargo llvm-cov{arguments} --lcov --output-path coverage.lcov\ncargo llvm-cov report --fail-under-lines {number}"
                ),
                "coverage.lcov",
            ))
        }
        // Its reporter of coverage, @vitest/coverage-v8, is a dependency of the package.
        ("npx", Some("vitest")) => Some((
            format!(
                "{command} --coverage --coverage.reporter=lcov --coverage.reporter=text --coverage.thresholds.lines={number}"
            ),
            "coverage/lcov.info",
        )),
        ("npm", Some("test")) => Some((
            format!(
                "{command} -- --coverage --coverageReporters=lcov --coverageReporters=text --coverageThreshold='{{\"global\":{{\"lines\":{number}}}}}'"
            ),
            "coverage/lcov.info",
        )),
        ("go", Some("test")) => Some((
            format!(
                "{command} -coverprofile=coverage.out\ngo tool cover -func=coverage.out | awk -v least={number} '/^total:/ {{ print; exit ($3 + 0 < least) }}'"
            ),
            "coverage.out",
        )),
        _ => None,
    }
}
