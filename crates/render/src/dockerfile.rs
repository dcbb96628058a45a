//! Dockerfiles of the images that the project builds: several stages, dependencies in layers or caches of their own, a
//! runtime without build tools, uid 1000, a health check that needs no tool of its own.
//!
//! One image for services with the same build; the others give their own command and health check where they run. A
//! build with a Dockerfile of its own keeps it.

mod health_program;
mod ignore;
mod parts;
pub(crate) mod runtime;

use serde_json::json;
use wharf_plan::model::{Framework, Language, Toolchain};

use crate::images::{self, BuiltImage};
use crate::machine::word;
use crate::template::fill;
use crate::{Input, Rendered, Scope, Target, header};
use parts::Parts;
pub(crate) use parts::{interval, pinned, seconds, start_period, timeout};
use runtime::Runtime;
use wharf_plan::exec_form::exec_form;

/// The target.
pub const TARGET: Target = Target {
    name: "dockerfile",
    summary: "a Dockerfile and its ignore list for each image",
    scope: Scope::Project,
    applies,
    make,
};

fn applies(input: &Input<'_>) -> Result<(), &'static str> {
    let built = images::built(input.base);
    if built.is_empty() {
        return Err("no service is built from source");
    }
    if built.iter().all(|image| image.build.dockerfile.is_some()) {
        return Err("every image has a Dockerfile of its own");
    }
    Ok(())
}

fn make(input: &Input<'_>, out: &mut Rendered) {
    for image in images::built(input.base) {
        let what = format!("services.{}.build", image.name);
        if let Some(file) = &image.build.dockerfile {
            out.gap(
                format!("{what}.dockerfile"),
                format!("`{file}` is used as it is; none is rendered"),
            );
            continue;
        }
        let Some(toolchain) = &image.build.toolchain else {
            out.gap(
                what,
                "nothing says what it is written in: `build: { language: python, framework: django }`, or a `dockerfile`",
            );
            continue;
        };
        let header = header(input.base);
        let text = dockerfile(input, &image, toolchain, &header, out);
        out.add(format!("{}/Dockerfile", image.name), tidy(&text));
        out.add(
            format!("{}/Dockerfile.dockerignore", image.name),
            ignore::text(&header, toolchain),
        );
    }
}

/// Where the Dockerfile of an image is rendered, from the folder of `wharf.yaml`: it is the same for every environment.
pub(crate) fn path(image: &str) -> String {
    format!("deploy/dockerfile/{image}/Dockerfile")
}

fn dockerfile(
    input: &Input<'_>,
    image: &BuiltImage<'_>,
    toolchain: &Toolchain,
    header: &str,
    out: &mut Rendered,
) -> String {
    let (Some(service), Some(runtime)) = (
        input.base.services.get(image.name),
        Runtime::of(image.build),
    ) else {
        return String::new();
    };
    let parts = Parts::new(input, image, toolchain, service, runtime);
    let base = parts.base();
    let health = parts.health_program();
    let folders = parts.folders();
    let build = image.build.command.as_ref().map(|command| {
        exec_form(command)
            .iter()
            .map(|argument| word(argument))
            .collect::<Vec<_>>()
            .join(" ")
    });
    let runtime_packages = parts::apt(&toolchain.packages);
    // What the program needs to run, it needs as well where its files are collected.
    let mut build_packages = toolchain.build_packages.clone();
    if toolchain.framework == Some(Framework::Django) {
        build_packages.extend(toolchain.packages.iter().cloned());
        build_packages.sort();
        build_packages.dedup();
    }
    let packages = parts::apt(&build_packages);
    let args = parts.args(out);
    let tail = parts.tail(out);
    match (toolchain.language, toolchain.framework) {
        (language @ (Language::Rust | Language::Go), _) => {
            for (given, what) in [
                (build.is_some(), "command"),
                (!toolchain.packages.is_empty(), "packages"),
            ] {
                if given {
                    out.gap(
                        format!("services.{}.build.{what}", image.name),
                        "the image holds the static program alone, made by the language's own tool; say a `dockerfile` for more",
                    );
                }
            }
            let source = if language == Language::Rust {
                include_str!("dockerfile/rust.Dockerfile")
            } else {
                include_str!("dockerfile/go.Dockerfile")
            };
            let made = parts::folders_of_builder(&folders);
            fill(
                source,
                json!({
                    "header": header, "base": base, "packages": packages, "args": args, "health": health,
                    "health_program": runtime::HEALTH_PROGRAM, "program": parts.program(), "keep": parts.keep(), "folders": made,
                    "has_folders": !folders.is_empty(), "tail": tail,
                }),
            )
        }
        (Language::Python, framework) => fill(
            include_str!("dockerfile/python.Dockerfile"),
            json!({
                "header": header, "base": base, "packages": packages, "args": args, "build": build,
                "collect": (framework == Some(Framework::Django)).then(|| parts.collect()),
                "runtime_packages": runtime_packages, "folders": parts::words(&folders), "tail": tail,
            }),
        ),
        (Language::Node, Some(Framework::React)) => fill(
            include_str!("dockerfile/react.Dockerfile"),
            json!({
                "header": header, "base": base, "packages": packages, "args": args,
                "build": build.unwrap_or_else(|| "npm run build".to_owned()),
                "nginx": parts.nginx_lines(), "server": parts.server(), "tail": tail,
            }),
        ),
        (Language::Node, _) => fill(
            include_str!("dockerfile/node.Dockerfile"),
            json!({
                "header": header, "base": base, "packages": packages, "args": args,
                "build": build.unwrap_or_else(|| "npm run build --if-present".to_owned()),
                "runtime_packages": runtime_packages, "folders": parts::words(&folders), "tail": tail,
            }),
        ),
    }
}

/// No empty line twice, none at the end: what a part left out leaves no trace.
fn tidy(text: &str) -> String {
    let mut tidy = String::new();
    let mut before = "";
    for line in text.lines() {
        let kept = !(line.is_empty() && (before.is_empty() || before.ends_with('\\')));
        if kept {
            tidy.push_str(line);
            tidy.push('\n');
            before = line;
        }
    }
    tidy.trim_end().to_owned() + "\n"
}

#[cfg(test)]
mod tests;
