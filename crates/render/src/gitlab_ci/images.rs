//! Images: made by Buildx, scanned, and pushed for branches of environments.

use wharf_plan::pipeline::{self, ImageBuild, Registry};

use crate::Input;
use crate::yaml::Yaml;

/// The registry in front of names that have none.
pub(super) fn registry(input: &Input<'_>) -> String {
    match pipeline::registry(input.base, input.environments) {
        Registry::Ecr { region } => format!("$AWS_ACCOUNT_ID.dkr.ecr.{region}.amazonaws.com"),
        Registry::Host => "$CI_REGISTRY_IMAGE".to_owned(),
        Registry::DockerHub => "docker.io".to_owned(),
        Registry::Other(host) => host,
    }
}

/// The commands that make an image, scan it and push it.
pub(super) fn build(input: &Input<'_>, image: &ImageBuild) -> Vec<Yaml> {
    let named = input.base.images.registry.is_some();
    let repository = if named {
        image.repository.clone()
    } else {
        format!("{}/{}", registry(input), image.repository)
    };
    let mut options = format!("--file {}", image.dockerfile);
    if let Some(target) = &image.target {
        options.push_str(&format!(" --target {target}"));
    }
    for (name, value) in &image.args {
        options.push_str(&format!(" --build-arg '{name}={value}'"));
    }
    options.push_str(
        " --build-arg \"REVISION=$REVISION\" --build-arg \"VERSION=$CI_COMMIT_REF_NAME\"",
    );
    let first = image.platforms.first().cloned().unwrap_or_default();
    let mut lines: Vec<Yaml> = vec![];
    if image.platforms.len() > 1 {
        lines.push(
            "docker run --rm --privileged docker.io/tonistiigi/binfmt:qemu-v10.2.1 --install all"
                .into(),
        );
    }
    lines.push("docker context create builder\ndocker buildx create --use builder\n".into());
    lines.push(
        format!("docker buildx build {options} \\\n  --platform {first} --output type=docker,dest=image.tar {}\n", image.context)
            .into(),
    );
    if let Some(gate) = image.gate {
        lines.push("mkdir -p reports .cache".into());
        let trivy = format!(
            "docker run --rm --volume \"$PWD:/src\" --workdir /src --env TRIVY_CACHE_DIR=.cache/trivy \\\n  {} \\\n  image --input image.tar",
            image.scanner
        );
        lines.push(
            format!(
                "{trivy} --format sarif --output reports/trivy-image-{}.sarif\n",
                image.name
            )
            .into(),
        );
        lines.push(format!("{trivy} --severity {gate} --ignore-unfixed --exit-code 1\n").into());
    }
    let log_in = match pipeline::registry(input.base, input.environments) {
        Registry::DockerHub => "printf '%s' \"$DOCKERHUB_TOKEN\" | docker login --username \"$DOCKERHUB_USERNAME\" --password-stdin".to_owned(),
        Registry::Host => "printf '%s' \"$CI_REGISTRY_PASSWORD\" | docker login --username \"$CI_REGISTRY_USER\" --password-stdin \"$CI_REGISTRY\"".to_owned(),
        Registry::Other(host) => format!("printf '%s' \"$REGISTRY_PASSWORD\" | docker login --username \"$REGISTRY_USERNAME\" --password-stdin \"{host}\""),
        Registry::Ecr { region } => format!(
            "apk add --no-cache aws-cli\n  printf '%s' \"$AWS_TOKEN\" > \"$AWS_WEB_IDENTITY_TOKEN_FILE\"\n  aws ecr get-login-password --region {region} | docker login --username AWS --password-stdin \"{}\"",
            registry(input)
        ),
    };
    let branches: Vec<String> = pipeline::branches(input.environments)
        .into_iter()
        .map(str::to_owned)
        .collect();
    if branches.is_empty() {
        return lines;
    }
    // A tag of that registry is never moved: a second run of a commit finds its image there.
    let known = match pipeline::registry(input.base, input.environments) {
        Registry::Ecr { .. } => format!(
            "if docker buildx imagetools inspect \"{repository}:$REVISION\" >/dev/null; then exit 0; fi\n"
        ),
        _ => String::new(),
    };
    lines.push(
        format!(
            "case \"$CI_PIPELINE_SOURCE:$CI_COMMIT_BRANCH\" in\n{}) ;;\n*) exit 0 ;;\nesac\n{}\n{known}docker buildx build {options} \\\n  --platform {} --push --sbom true --provenance mode=max \\\n  --tag \"{repository}:$REVISION\" --tag \"{repository}:latest\" {}\n",
            branches
                .iter()
                .map(|branch| format!("push:{branch}"))
                .collect::<Vec<_>>()
                .join("|"),
            log_in.replace("\n  ", "\n"),
            image.platforms.join(","),
            image.context
        )
        .into(),
    );
    lines
}
