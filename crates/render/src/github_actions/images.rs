//! `docker-build.yml`: images are made once, scanned before anybody can pull them, and pushed.

use wharf_plan::pipeline::{ImageBuild, Mount, Registry, Report, Role, Stage, Step, Tool, Value};

use super::workflows::{images_permissions, registry, registry_secrets};
use super::{RUNNER, Workflows, expression, lock, steps};
use crate::yaml::{Map, Yaml};
use crate::{list, map};

/// Whether this run pushes.
const PUSHES: &str = "inputs.push || github.ref_type == 'tag'";

pub(super) fn workflow(workflows: &Workflows<'_>) -> Map {
    let mut secrets = Map::new();
    for name in registry_secrets(workflows) {
        secrets.set(name, map! { "required" => false });
    }
    let mut call = map! {
        "inputs" => map! {
            "push" => map! {
                "description" => "Whether the images are pushed, or made and scanned only",
                "type" => "boolean",
                "default" => false,
            },
        },
        "outputs" => map! {
            "registry" => map! {
                "description" => "Where they were pushed",
                "value" => expression("jobs.image.outputs.registry"),
            },
        },
    };
    call.set_full("secrets", secrets);
    let mut on = Map::new();
    on.set_with_comment(
        "A version is a tag of the repository: it becomes a tag of the images.",
        "push",
        map! { "tags" => list!["v*.*.*"] },
    );
    on.set("workflow_call", call);
    let mut workflow = Workflows::head("Images", on);
    let images: Vec<&ImageBuild> = workflows
        .jobs(|job| job.stage == Stage::Image)
        .flat_map(|job| &job.steps)
        .filter_map(|step| match step {
            Step::Image(image) => Some(image),
            _ => None,
        })
        .collect();
    workflow.set_with_comment("\n", "jobs", map! { "image" => job(workflows, &images) });
    workflow
}

/// What differs from image to image: a value, or a place of the matrix.
struct Places {
    name: String,
    repository: String,
    context: String,
    dockerfile: String,
}

fn job(workflows: &Workflows<'_>, images: &[&ImageBuild]) -> Map {
    let mut out = Map::new();
    let (places, strategy) = match images {
        [only] => (
            Places {
                name: only.name.clone(),
                repository: only.repository.clone(),
                context: only.context.clone(),
                dockerfile: only.dockerfile.clone(),
            },
            None,
        ),
        several => {
            let place = |name: &str| format!("${{{{ matrix.{name} }}}}");
            let include: Vec<Yaml> = several.iter().map(|image| included(image).into()).collect();
            (
                Places {
                    name: place("name"),
                    repository: place("repository"),
                    context: place("context"),
                    dockerfile: place("dockerfile"),
                },
                Some(
                    map! { "fail-fast" => false, "matrix" => map! { "include" => Yaml::List(include) } },
                ),
            )
        }
    };
    out.set("name", format!("Image {}", places.name));
    out.set("runs-on", RUNNER);
    let timeout = workflows
        .jobs(|job| job.stage == Stage::Image)
        .map(|job| job.timeout.as_secs().div_ceil(60))
        .max();
    out.set(
        "timeout-minutes",
        i64::try_from(timeout.unwrap_or(60)).unwrap_or(60),
    );
    out.set("permissions", images_permissions(workflows));
    if let Some(strategy) = strategy {
        out.set("strategy", strategy);
    }
    out.set(
        "outputs",
        map! { "registry" => expression("steps.registry.outputs.registry") },
    );
    out.set("steps", Yaml::List(steps(workflows, images, &places)));
    out
}

fn included(image: &ImageBuild) -> Map {
    let mut included = map! {
        "name" => &image.name,
        "repository" => &image.repository,
        "context" => &image.context,
        "dockerfile" => &image.dockerfile,
    };
    if let Some(target) = &image.target {
        included.set("target", target);
    }
    if !image.args.is_empty() {
        included.set("args", args(image));
    }
    included
}

fn args(image: &ImageBuild) -> String {
    let args: Vec<String> = image
        .args
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    args.join("\n")
}

fn steps(workflows: &Workflows<'_>, images: &[&ImageBuild], places: &Places) -> Vec<Yaml> {
    let Some(first) = images.first() else {
        return vec![];
    };
    let mut steps: Vec<Yaml> = vec![steps::checkout(false).into()];
    if first.platforms.len() > 1 {
        steps.push(
            map! {
                "name" => "Emulate other processors",
                "if" => expression(PUSHES),
                "uses" => lock::uses("docker/setup-qemu-action"),
            }
            .into(),
        );
    }
    steps.push(
        map! { "name" => "Set up Buildx", "uses" => lock::uses("docker/setup-buildx-action") }
            .into(),
    );
    let mut build = build_inputs(images, places);
    build.set(
        "platforms",
        first.platforms.first().cloned().unwrap_or_default(),
    );
    build.set("outputs", "type=docker,dest=image.tar");
    build.set("tags", format!("{}:scanned", places.repository));
    build.set("cache-from", format!("type=gha,scope={}", places.name));
    build.set(
        "cache-to",
        format!("type=gha,mode=max,scope={}", places.name),
    );
    steps.push(
        map! {
            "name" => "Make",
            "uses" => lock::uses("docker/build-push-action"),
            "with" => build,
        }
        .into(),
    );
    steps.extend(scan(images, places).into_iter().map(Yaml::from));
    steps.extend(push(workflows, images, places).into_iter().map(Yaml::from));
    steps
}

/// What both builds of an image are told; the second finds the layers of the first.
fn build_inputs(images: &[&ImageBuild], places: &Places) -> Map {
    let mut inputs = map! { "context" => &places.context, "file" => &places.dockerfile };
    if images.iter().any(|image| image.target.is_some()) {
        inputs.set(
            "target",
            match images {
                [only] => Yaml::from(only.target.clone().unwrap_or_default()),
                _ => expression("matrix.target"),
            },
        );
    }
    let args = match images {
        [only] => args(only),
        _ if images.iter().any(|image| !image.args.is_empty()) => "${{ matrix.args }}".to_owned(),
        _ => String::new(),
    };
    let own = "REVISION=${{ github.sha }}\nVERSION=${{ github.ref_name }}";
    let args = if args.is_empty() {
        format!("{own}\n")
    } else {
        format!("{args}\n{own}\n")
    };
    inputs.set("build-args", args);
    inputs
}

fn scan(images: &[&ImageBuild], places: &Places) -> Vec<Map> {
    let Some((image, gate)) = images.first().and_then(|image| Some((image, image.gate?))) else {
        return vec![];
    };
    let step = |title: &str, command: String| {
        steps::tool(&Tool {
            title: title.to_owned(),
            image: image.scanner.to_owned(),
            command,
            entrypoint: true,
            mount: Mount::Anywhere,
            environment: [(
                "TRIVY_CACHE_DIR".to_owned(),
                Value::Text(".cache/trivy".to_owned()),
            )]
            .into(),
        })
    };
    vec![
        step(
            "Find",
            "trivy image --input image.tar --format sarif --output reports/trivy-image.sarif"
                .to_owned(),
        ),
        steps::report(&Report {
            file: "reports/trivy-image.sarif".to_owned(),
            category: format!("trivy-image-{}", places.name),
        }),
        step(
            "Gate",
            format!(
                "trivy image --input image.tar --severity {gate} --ignore-unfixed --exit-code 1"
            ),
        ),
    ]
}

fn push(workflows: &Workflows<'_>, images: &[&ImageBuild], places: &Places) -> Vec<Map> {
    let mut steps = login(workflows);
    let registry = registry(workflows);
    let named = workflows.input.base.images.registry.is_some();
    // On Docker Hub a name of one part belongs to its user.
    let of_user = images.iter().any(|image| {
        let name = image.repository.strip_prefix("docker.io/");
        name.is_some_and(|name| !name.contains('/'))
    });
    let image = if of_user && let [only] = images {
        let name = only.repository.trim_start_matches("docker.io/");
        format!("${{{{ secrets.DOCKERHUB_USERNAME }}}}/{name}")
    } else if named {
        places.repository.clone()
    } else {
        format!(
            "${{{{ steps.registry.outputs.registry }}}}/{}",
            places.repository
        )
    };
    let registry_of = match &registry {
        Registry::Ecr { .. } => expression("steps.ecr.outputs.registry"),
        Registry::Host => Yaml::from("ghcr.io/${{ github.repository_owner }}"),
        Registry::DockerHub => Yaml::from("docker.io"),
        Registry::Other(host) => Yaml::from(host),
    };
    steps.push(map! {
        "name" => "Where to",
        "id" => "registry",
        "if" => expression(PUSHES),
        "env" => map! { "REGISTRY" => registry_of },
        // Registries know lower case only.
        "run" => "echo \"registry=${REGISTRY,,}\" >> \"$GITHUB_OUTPUT\"",
    });
    let short = match images {
        [only] => only.repository.rsplit('/').next().unwrap_or_default(),
        _ => "image",
    };
    let own = format!(
        "{image}:${{{{ github.ref_type == 'tag' && steps.names.outputs.version || github.sha }}}}"
    );
    let mut names = map! { "images" => image, "flavor" => "latest=false" };
    names.set_with_comment(
        format!("{short}:sha (the commit), {short}:1.2.3 (a version) and {short}:latest."),
        "tags",
        format!(
            "type=sha,format=long,prefix=,enable=${{{{ github.ref_type != 'tag' }}}}\ntype=semver,pattern={{{{version}}}}\ntype=raw,value=latest,enable=${{{{ {} }}}}\n",
            is_production(workflows)
        ),
    );
    steps.push(map! {
        "name" => "Name",
        "id" => "names",
        "if" => expression(PUSHES),
        "uses" => lock::uses("docker/metadata-action"),
        "with" => names,
    });
    let mut pushes = PUSHES.to_owned();
    if matches!(registry, Registry::Ecr { .. }) {
        // A tag of that registry is never moved: a second run of a commit finds its image there.
        steps.push(map! {
            "name" => "Look for it",
            "id" => "known",
            "if" => expression(PUSHES),
            "env" => map! { "IMAGE" => own },
            "run" => "if docker buildx imagetools inspect \"$IMAGE\" > /dev/null; then\n  echo \"pushed=true\" >> \"$GITHUB_OUTPUT\"\nfi\n",
        });
        pushes = format!("({PUSHES}) && steps.known.outputs.pushed != 'true'");
    }
    let mut inputs = build_inputs(images, places);
    let platforms = images
        .first()
        .map_or_else(String::new, |image| image.platforms.join(","));
    inputs.set("platforms", platforms);
    inputs.set("push", true);
    inputs.set("tags", expression("steps.names.outputs.tags"));
    inputs.set_with_comment(
        "The labels of the OCI image specification: source, revision, version.",
        "labels",
        expression("steps.names.outputs.labels"),
    );
    inputs.set_with_comment(
        "What is in it, and how it was made, are kept beside it.",
        "sbom",
        true,
    );
    inputs.set("provenance", "mode=max");
    inputs.set("cache-from", format!("type=gha,scope={}", places.name));
    steps.push(map! {
        "name" => "Push",
        "if" => expression(&pushes),
        "uses" => lock::uses("docker/build-push-action"),
        "with" => inputs,
    });
    steps
}

/// `latest` is what production runs, or what the newest version is.
fn is_production(workflows: &Workflows<'_>) -> String {
    let mut branches: Vec<&str> = workflows
        .input
        .environments
        .values()
        .filter(|plan| plan.target.approval)
        .filter_map(|plan| plan.target.branch.as_deref())
        .collect();
    branches.dedup();
    match branches.as_slice() {
        [] => "github.ref_type == 'tag'".to_owned(),
        branches => branches
            .iter()
            .map(|branch| format!("github.ref_name == '{branch}'"))
            .collect::<Vec<_>>()
            .join(" || "),
    }
}

fn login(workflows: &Workflows<'_>) -> Vec<Map> {
    let log_in = |with: Map| {
        map! {
            "name" => "Log in to the registry",
            "if" => expression(PUSHES),
            "uses" => lock::uses("docker/login-action"),
            "with" => with,
        }
    };
    match registry(workflows) {
        Registry::DockerHub => vec![log_in(map! {
            "username" => expression("secrets.DOCKERHUB_USERNAME"),
            "password" => expression("secrets.DOCKERHUB_TOKEN"),
        })],
        Registry::Other(host) => vec![log_in(map! {
            "registry" => host,
            "username" => expression("secrets.REGISTRY_USERNAME"),
            "password" => expression("secrets.REGISTRY_PASSWORD"),
        })],
        Registry::Host => vec![log_in(map! {
            "registry" => "ghcr.io",
            "username" => expression("github.actor"),
            "password" => expression("github.token"),
        })],
        Registry::Ecr { region } => {
            let mut role = steps::cloud(&region, Role::Images.variable());
            role.set("if", expression(PUSHES));
            role.lead_with(&["name", "if"]);
            vec![
                role,
                map! {
                    "name" => "Log in to the registry",
                    "id" => "ecr",
                    "if" => expression(PUSHES),
                    "uses" => lock::uses("aws-actions/amazon-ecr-login"),
                },
            ]
        }
    }
}
