//! The user data of machines of an auto-scaling group: a script that sets up Ubuntu 22.04 and starts the application.
//!
//! The text has no place to fill in: it is the same in Terraform and in CloudFormation, on every machine and for every
//! stack of the same prefix. What only the stack knows the machine asks for (see [`crate::machine`]). EC2 takes at most
//! [`LIMIT`] bytes.

use wharf_base::ids::Name;
use wharf_plan::model::{Build, Framework, Language, Plan, Service, Source, StoreEngine};
use wharf_plan::template::{Field, Part, Reference};

use crate::machine::{
    Machine, SecretsFrom, environment_program, group, group_name, heredoc_end, log_group,
    ready_hook, revision_parameter, word,
};
use crate::{Input, Rendered, Scope, Target, header, images, nginx, systemd, template};

/// The target.
pub const TARGET: Target = Target {
    name: "userdata",
    summary: "the script that sets up a machine of the auto-scaling group",
    scope: Scope::Environment,
    applies,
    make,
};

/// What EC2 takes, before it is encoded
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html>).
pub const LIMIT: usize = 16 * 1024;

/// Python of Ubuntu 22.04.
const PYTHON: &str = "3.10";

fn applies(input: &Input<'_>) -> Result<(), &'static str> {
    match group(input.plan) {
        None => Err("the environment has no auto-scaling group"),
        Some(cloud) if cloud.nodes.source.is_none() => {
            Err("cloud.nodes.source does not say where the source is fetched from")
        }
        Some(_) => Ok(()),
    }
}

fn make(input: &Input<'_>, out: &mut Rendered) {
    let plan = input.plan;
    let Some(script) = script(plan) else { return };
    if script.len() > LIMIT {
        out.gap(
            "cloud.nodes.source",
            format!("the script has {} bytes; EC2 takes {LIMIT}", script.len()),
        );
    }
    out.add_program("user-data.sh", script);
    let machine = Machine::new(plan);
    for (name, service) in &plan.services {
        let what = |field: &str| format!("services.{name}{field}");
        if matches!(service.source, Source::Image(_)) {
            out.gap(
                what(".image"),
                "the machines of the group run programs, no containers",
            );
        }
        if !machine.runs(service) {
            continue;
        }
        if service.singleton {
            out.gap(
                what(".singleton"),
                "each machine of the group runs one; hold a lock in the program or run it elsewhere",
            );
        }
        if service.release.is_some() && lock(plan, service).is_none() {
            out.gap(
                what(".release"),
                "without a variable that is the URL of a PostgreSQL, machines that start at once run it at once",
            );
        }
        if let Source::Build(build) = &service.source {
            build_gaps(&what(".build"), build, out);
        }
    }
}

fn build_gaps(what: &str, build: &Build, out: &mut Rendered) {
    let Some(toolchain) = &build.toolchain else {
        return;
    };
    match (toolchain.language, toolchain.version.as_deref()) {
        (Language::Python, None | Some(PYTHON)) => {}
        (Language::Python, Some(version)) => out.gap(
            format!("{what}.version"),
            format!("Ubuntu 22.04 has Python {PYTHON}, not {version}"),
        ),
        _ => out.gap(
            format!("{what}.language"),
            "the script installs Python applications; let the source hold the built program",
        ),
    }
}

/// The script; none where the plan has no auto-scaling group or does not say where the source is.
#[must_use]
pub fn script(plan: &Plan) -> Option<String> {
    let cloud = group(plan)?;
    let source = cloud.nodes.source.as_ref()?;
    let machine = Machine::new(plan);
    let units = systemd::units(&machine);
    let restarted: Vec<&str> = units
        .iter()
        .map(|unit| unit.name.as_str())
        .filter(|name| {
            let plain = name.ends_with(".service") && !name.ends_with("@.service");
            let own = ["-environment.service", "-rotation.service"];
            plain && !own.iter().any(|own| name.ends_with(own)) && !has_timer(&units, name)
        })
        .collect();
    let health = &cloud.load_balancer.health;
    Some(template::fill(
        include_str!("userdata/user-data.sh"),
        serde_json::json!({
            "header": header(plan),
            "project": plan.name.as_str(),
            "region": word(&cloud.region),
            "group": word(&group_name(cloud)),
            "hook": word(&ready_hook(cloud)),
            "user": machine.user(),
            "root": machine.root(),
            "state": machine.state(),
            "source_folder": machine.source(),
            "git": word(source),
            "revision": word(&revision_parameter(plan)),
            "branch": word(plan.target.branch.as_deref().unwrap_or("main")),
            "packages": packages(plan).join(" "),
            "venvs": virtual_environments(&machine),
            "statics": statics(&machine),
            "files": files(&machine, &units),
            "restarted": restarted,
            "health": {
                "path": word(&format!("http://127.0.0.1{}", health.path)),
                "timeout": health.timeout.as_secs().max(1),
                // Every two seconds, for as long as the group waits before it counts a machine's health.
                "attempts": (cloud.nodes.grace.as_secs() / 2).max(10),
            },
        }),
    ))
}

fn has_timer(units: &[systemd::Unit], service: &str) -> bool {
    let timer = service.replace(".service", ".timer");
    units.iter().any(|unit| unit.name == timer)
}

/// The variable of a service that is the URL of a PostgreSQL: its release takes a lock there.
#[must_use]
pub fn lock<'a>(plan: &Plan, service: &'a Service) -> Option<&'a str> {
    service.environment.iter().find_map(|(name, value)| {
        let [
            Part::Reference(Reference::Field {
                of,
                field: Field::Url,
            }),
        ] = value.parts.as_slice()
        else {
            return None;
        };
        let engine = plan.stores.get(of)?.engine;
        (engine == StoreEngine::Postgres).then_some(name.as_str())
    })
}

fn builds(plan: &Plan) -> impl Iterator<Item = (&Name, &Build)> {
    images::built(plan)
        .into_iter()
        .map(|image| (image.name, image.build))
}

fn packages(plan: &Plan) -> Vec<String> {
    let mut packages: Vec<String> = ["awscli", "ca-certificates", "curl", "git", "jq", "nginx"]
        .map(str::to_owned)
        .to_vec();
    for (_, build) in builds(plan) {
        let Some(toolchain) = &build.toolchain else {
            continue;
        };
        packages.extend(toolchain.packages.iter().cloned());
        packages.extend(toolchain.build_packages.iter().cloned());
        if toolchain.language == Language::Python {
            packages.push("python3-venv".to_owned());
        }
    }
    if plan
        .services
        .values()
        .any(|service| service.release.is_some() && lock(plan, service).is_some())
    {
        packages.push("postgresql-client".to_owned());
    }
    packages.sort();
    packages.dedup();
    packages
}

fn virtual_environments(machine: &Machine<'_>) -> Vec<serde_json::Value> {
    builds(machine.plan)
        .filter(|(_, build)| {
            let toolchain = build.toolchain.as_ref();
            toolchain.is_some_and(|toolchain| toolchain.language == Language::Python)
        })
        .map(|(name, build)| {
            serde_json::json!({
                "name": name.as_str(),
                "path": machine.virtual_environment(build),
                "folder": word(&machine.folder(build)),
            })
        })
        .collect()
}

/// What Django collects, for each service with static files.
fn statics(machine: &Machine<'_>) -> Vec<serde_json::Value> {
    let mut statics = vec![];
    for (name, service) in &machine.plan.services {
        let Source::Build(build) = &service.source else {
            continue;
        };
        let framework = build.toolchain.as_ref().and_then(|chain| chain.framework);
        if framework != Some(Framework::Django) || service.static_files.is_empty() {
            continue;
        }
        let folder = machine.folder(build);
        let folders = machine.static_folders(service);
        let folders: Vec<String> = folders.iter().map(|folder| word(folder)).collect();
        statics.push(serde_json::json!({
            "service": name.as_str(),
            "folder": word(&folder),
            "folders": folders.join(" "),
            "variables": format!("{}/{name}.env", machine.run_folder()),
            "python": word(&format!("{}/python", machine.programs(build).unwrap_or_default())),
        }));
    }
    statics
}

/// The files that the script writes.
fn files(machine: &Machine<'_>, units: &[systemd::Unit]) -> Vec<serde_json::Value> {
    let plan = machine.plan;
    let project = &plan.name;
    let mut files = vec![];
    let mut add = |mode: &str, path: String, text: String| {
        let end = heredoc_end("END", &text);
        // The operator is also a mark of the templates.
        let begin = format!("<<'{end}'");
        files.push(serde_json::json!({ "mode": mode, "path": path, "text": text, "begin": begin, "end": end }));
    };
    let made = "Made by wharf.";
    let program = environment_program(machine, SecretsFrom::Aws, made);
    add(
        "0755",
        format!("/usr/local/lib/{project}/environment"),
        program,
    );
    if let Some(key) = plan
        .services
        .values()
        .any(|service| service.release.is_some() && lock(plan, service).is_some())
        .then(|| lock_key(project.as_str()))
    {
        let text = template::fill(
            include_str!("userdata/alone.sh"),
            serde_json::json!({ "key": key }),
        );
        add("0755", format!("/usr/local/lib/{project}/alone"), text);
    }
    for unit in units {
        add(
            "0644",
            format!("/etc/systemd/system/{}", unit.name),
            unit.text.clone(),
        );
    }
    let conf = nginx::configuration(&nginx::on_machine(plan), made);
    add("0644", "/etc/nginx/nginx.conf".to_owned(), conf);
    add(
        "0644",
        format!("/etc/logrotate.d/{project}"),
        logrotate(project.as_str()),
    );
    let agent = agent(machine);
    add("0644", format!("/etc/{project}/cloudwatch.json"), agent);
    files
}

/// The number of the lock: the same on every machine, and not another project's.
fn lock_key(project: &str) -> u32 {
    project.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

fn logrotate(project: &str) -> String {
    format!(
        "/var/log/{project}/*.log {{\n  daily\n  rotate 7\n  maxsize 100M\n  compress\n  missingok\n  notifempty\n  copytruncate\n}}\n"
    )
}

/// The configuration of the CloudWatch agent
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-Agent-Configuration-File-Details.html>).
fn agent(machine: &Machine<'_>) -> String {
    let plan = machine.plan;
    let Some(cloud) = group(plan) else {
        return String::new();
    };
    let mut logs = vec![
        ("/var/log/user-data.log".to_owned(), "user-data".to_owned()),
        (
            "/var/log/nginx/access.log".to_owned(),
            "nginx-access".to_owned(),
        ),
        (
            "/var/log/nginx/error.log".to_owned(),
            "nginx-error".to_owned(),
        ),
    ];
    let services = plan
        .services
        .iter()
        .filter(|(_, service)| machine.runs(service));
    logs.extend(services.map(|(name, _)| {
        (
            format!("/var/log/{}/{name}.log", plan.name),
            name.to_string(),
        )
    }));
    let group = log_group(plan, cloud);
    let files: Vec<serde_json::Value> = logs
        .into_iter()
        .map(|(path, stream)| {
            serde_json::json!({
                "file_path": path,
                "log_group_name": group,
                "log_stream_name": format!("{{instance_id}}/{stream}"),
            })
        })
        .collect();
    let config = serde_json::json!({
        "logs": { "logs_collected": { "files": { "collect_list": files } } },
        "metrics": {
            "append_dimensions": { "AutoScalingGroupName": "${aws:AutoScalingGroupName}" },
            "metrics_collected": {
                "disk": { "measurement": ["used_percent"], "resources": ["/"] },
                "mem": { "measurement": ["used_percent"] },
            },
        },
    });
    let mut text = config.to_string();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests;
