//! What of a build's folder is not sent to the builder.

use wharf_plan::model::{Framework, Language, Toolchain};

/// In no image: history, what Wharf and pipelines keep, and what may hold secrets.
const ALWAYS: [&str; 12] = [
    ".git",
    ".github",
    ".gitlab-ci.yml",
    ".wharf",
    "deploy",
    "wharf.yaml",
    "**/Dockerfile*",
    "**/docker-compose*.yml",
    "**/.env",
    "**/.env.*",
    "**/.DS_Store",
    "**/*.log",
];

/// The ignore list that lies beside the Dockerfile, which BuildKit and Podman read in place of `.dockerignore`.
pub(super) fn text(header: &str, toolchain: &Toolchain) -> String {
    let made: &[&str] = match (toolchain.language, toolchain.framework) {
        (Language::Rust, _) => &["target"],
        (Language::Go, _) => &["bin", "**/*.test", "**/*.out"],
        (Language::Python, framework) => {
            let common = &[
                "**/__pycache__",
                "**/*.py[cod]",
                ".venv",
                "venv",
                ".coverage",
                "htmlcov",
                "**/.mypy_cache",
                "**/.pytest_cache",
                "**/.ruff_cache",
                "**/*.sqlite3",
                "media",
                "staticfiles",
            ];
            if framework == Some(Framework::Django) {
                common
            } else {
                &common[..10]
            }
        }
        (Language::Node, Some(Framework::React)) => &[
            "node_modules",
            "coverage",
            "dist",
            "build",
            "**/*.tsbuildinfo",
        ],
        (Language::Node, _) => &["node_modules", "coverage", "**/*.tsbuildinfo"],
    };
    let mut text = format!(
        "# {header}\n\n# In no image: the history, what pipelines keep, and what may hold secrets.\n"
    );
    for line in ALWAYS {
        text.push_str(line);
        text.push('\n');
    }
    text.push_str("\n# Made while developing; the image makes its own.\n");
    for line in made {
        text.push_str(line);
        text.push('\n');
    }
    text
}
