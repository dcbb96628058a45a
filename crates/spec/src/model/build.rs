//! `build` of a service.

use super::service::Command;
use crate::decode::{EnvName, List, Table, Word, record, words};

record! {
    /// How source code becomes a program.
    pub struct Build {
        /// The folder, relative to `wharf.yaml`.
        [default "`.`"]
        [example "./web"]
        context: String,
        /// What builds it, run in the folder. Default: detected from what lies there.
        [example "make release"]
        command: Command,
        /// Which program of a Cargo or Go build this service is, where there are several.
        [example "backend"]
        program: Word,
        /// The Dockerfile, relative to the folder.
        dockerfile: String,
        /// The stage of the Dockerfile.
        target: String,
        /// Build arguments, and variables of the build.
        args: Table<EnvName, String>,
        /// What it is written in; decides the rendered Dockerfile, and what a pipeline installs and caches.
        [default "detected from what lies in the folder"]
        [also "lang" "runtime"]
        [example "python"]
        language: Language,
        /// The version of the language.
        [example "\"3.11\""]
        version: Word,
        /// The framework, where it changes the image or the pipeline.
        [example "django"]
        framework: Framework,
        /// Debian packages that the program needs while it runs.
        [also "apt"]
        [example "[libpq5]"]
        packages: List<Word>,
        /// Debian packages that only the build needs.
        [example "[libpq-dev]"]
        build_packages: List<Word>,
    }
    shorthand context
    later { "cache", "platforms", "secrets", "image", "tags" }
}

words! {
    /// Languages that have a Dockerfile of their own.
    pub enum Language: "a language" {
        /// Rust, built by Cargo.
        Rust = "rust",
        /// Python, with `requirements.txt` or `pyproject.toml`.
        Python = "python",
        /// JavaScript or TypeScript, with npm.
        Node = "node",
        /// Go.
        Go = "go",
    }
    later { "java", "ruby", "php", "dotnet", "elixir", "deno", "bun" }
}

words! {
    /// Frameworks that are known.
    pub enum Framework: "a framework" {
        /// Django.
        Django = "django",
        /// Flask.
        Flask = "flask",
        /// FastAPI.
        Fastapi = "fastapi",
        /// React, built to static files.
        React = "react",
    }
    later { "next", "vue", "svelte", "rails", "laravel" }
}
