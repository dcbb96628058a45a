//! The units, as texts.

use std::fmt::Write as _;
use std::time::Duration;

use wharf_base::ids::Name;
use wharf_plan::model::{Command, Condition, Service, Source};

use super::{calendar, command, secrets_from};
use crate::machine::{Machine, SecretsFrom, mounts};
use crate::userdata::lock;

/// One unit file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Its file name: `django-app-web.service`.
    pub name: String,
    /// Its text, without a header.
    pub text: String,
}

/// Every unit of a machine, those that others need first.
#[must_use]
pub fn units(machine: &Machine<'_>) -> Vec<Unit> {
    let plan = machine.plan;
    let mut units = vec![environment_unit(machine)];
    let mut wanted = vec![];
    for (name, service) in &plan.services {
        if !machine.runs(service) {
            continue;
        }
        let unit = machine.unit(name);
        if service.release.is_some() {
            units.push(Unit {
                name: format!("{unit}-release.service"),
                text: release_unit(machine, name, service),
            });
        }
        if let Some(schedule) = &service.schedule {
            wanted.push(format!("{unit}.timer"));
            units.push(Unit {
                name: format!("{unit}.timer"),
                text: timer_unit(machine, name, &schedule.cron),
            });
        }
        let many = instances(service) > 1;
        if service.schedule.is_none() {
            if many {
                let all = 1..=instances(service);
                wanted.extend(all.map(|index| format!("{unit}@{index}.service")));
            } else {
                wanted.push(format!("{unit}.service"));
            }
        }
        units.push(Unit {
            name: format!("{unit}{}.service", if many { "@" } else { "" }),
            text: service_unit(machine, name, service),
        });
    }
    units.push(target_unit(machine, &wanted));
    units
}

/// How many replicas of a service one machine runs: one of what has a port, since it has the port.
fn instances(service: &Service) -> u32 {
    if service.ports.is_empty() && service.schedule.is_none() && !service.singleton {
        service.replicas.max(1)
    } else {
        1
    }
}

fn environment_unit(machine: &Machine<'_>) -> Unit {
    let project = &machine.plan.name;
    let network = match secrets_from(machine.plan) {
        SecretsFrom::Aws => "Wants=network-online.target\nAfter=network-online.target\n",
        SecretsFrom::File => "",
    };
    let text = format!(
        "\
[Unit]
Description=Variables of the services of {project}
{network}
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/lib/{project}/environment
RuntimeDirectory={project}
RuntimeDirectoryMode=0700
RuntimeDirectoryPreserve=yes
TimeoutStartSec=2min
NoNewPrivileges=yes
PrivateTmp=yes
ProtectHome=yes
ProtectSystem=strict
"
    );
    Unit {
        name: format!("{project}-environment.service"),
        text,
    }
}

fn target_unit(machine: &Machine<'_>, wanted: &[String]) -> Unit {
    let project = &machine.plan.name;
    let mut text = format!("[Unit]\nDescription=Everything of {project}\n");
    for unit in wanted {
        let _ = writeln!(text, "Wants={unit}");
    }
    text.push_str("\n[Install]\nWantedBy=multi-user.target\n");
    Unit {
        name: format!("{project}.target"),
        text,
    }
}

fn timer_unit(machine: &Machine<'_>, name: &Name, cron: &str) -> String {
    let project = &machine.plan.name;
    let mut text =
        format!("[Unit]\nDescription={name} of {project}, by the schedule {cron}\n\n[Timer]\n");
    for expression in calendar::expressions(cron) {
        let _ = writeln!(text, "OnCalendar={expression}");
    }
    // A run that was missed while the machine was off is not made up for: cron does not either.
    text.push_str("AccuracySec=1s\n\n[Install]\nWantedBy=timers.target\n");
    text
}

fn release_unit(machine: &Machine<'_>, name: &Name, service: &Service) -> String {
    let project = &machine.plan.name;
    let mut text = format!(
        "[Unit]\nDescription=What comes before a release of {name} of {project}\n{}\n[Service]\nType=oneshot\nRemainAfterExit=yes\n",
        requires(machine, name, service, false)
    );
    if let Some(release) = &service.release {
        let line = command::line(machine, service, &release.command);
        // Several machines may start at once: one of them migrates, the others wait for it.
        let lock = match (secrets_from(machine.plan), lock(machine.plan, service)) {
            (SecretsFrom::Aws, Some(url)) => format!("/usr/local/lib/{project}/alone {url} "),
            _ => String::new(),
        };
        let _ = writeln!(text, "ExecStart={lock}{line}");
        let _ = writeln!(text, "TimeoutStartSec={}", seconds(release.timeout));
    }
    text.push_str(&sandbox(machine, name, service));
    text
}

fn service_unit(machine: &Machine<'_>, name: &Name, service: &Service) -> String {
    let project = &machine.plan.name;
    let own = Command::Exec(vec![name.to_string()]);
    let meant = service.command.as_ref().unwrap_or(&own);
    let instance = if instances(service) > 1 {
        ", replica %i"
    } else {
        ""
    };
    let mut text = format!(
        "[Unit]\nDescription={name} of {project}{instance}\n{}",
        requires(machine, name, service, true)
    );
    if service.schedule.is_none() {
        // A program that ends at once is started again for as long as it takes, with pauses.
        text.push_str("StartLimitIntervalSec=0\n");
        let _ = writeln!(text, "PartOf={project}.target");
    }
    text.push_str("\n[Service]\n");
    let notifies = command::program(meant).ends_with("gunicorn");
    let kind = match (&service.schedule, notifies) {
        (Some(_), _) => "oneshot",
        (None, true) => "notify",
        (None, false) => "exec",
    };
    let _ = writeln!(text, "Type={kind}");
    let _ = writeln!(text, "ExecStart={}", command::line(machine, service, meant));
    if notifies {
        // Gunicorn says when its workers may be asked, and takes a new configuration without an interruption.
        text.push_str("NotifyAccess=main\nExecReload=/bin/kill -s HUP $MAINPID\n");
    }
    match &service.schedule {
        Some(schedule) => {
            if let Some(timeout) = schedule.timeout {
                let _ = writeln!(text, "TimeoutStartSec={}", seconds(timeout));
            }
        }
        None => text.push_str("Restart=always\nRestartSec=2\n"),
    }
    // The main process is asked to end and finishes its requests; whatever is left then is killed.
    let _ = writeln!(
        text,
        "KillMode=mixed\nTimeoutStopSec={}",
        seconds(service.stop_timeout)
    );
    text.push_str(&sandbox(machine, name, service));
    text
}

/// `Requires=` and `After=` of a unit.
fn requires(machine: &Machine<'_>, name: &Name, service: &Service, release: bool) -> String {
    let plan = machine.plan;
    let mut units = vec![format!("{}-environment.service", plan.name)];
    if release && service.release.is_some() {
        units.push(format!("{}-release.service", machine.unit(name)));
    }
    let mut text = format!("Requires={}\n", units.join(" "));
    let mut after = vec!["network.target".to_owned()];
    after.append(&mut units);
    for (needed, condition) in &service.needs {
        let Some(other) = plan.services.get(needed) else {
            continue;
        };
        if machine.runs(other) && instances(other) == 1 && *condition != Condition::Completed {
            let unit = format!("{}.service", machine.unit(needed));
            let _ = writeln!(text, "Wants={unit}");
            after.push(unit);
        }
    }
    let _ = writeln!(text, "After={}", after.join(" "));
    text
}

/// Who the program is, what it knows, what it may use and touch.
fn sandbox(machine: &Machine<'_>, name: &Name, service: &Service) -> String {
    let project = &machine.plan.name;
    let user = machine.user();
    let mut text = format!(
        "User={user}\nGroup={user}\nWorkingDirectory={}\n",
        path(&machine.working_folder(service))
    );
    for file in &service.env_files {
        let _ = writeln!(
            text,
            "EnvironmentFile=-{}",
            path(&format!(
                "{}/{}",
                machine.source(),
                file.trim_start_matches("./")
            ))
        );
    }
    let _ = writeln!(text, "EnvironmentFile={}/{name}.env", machine.run_folder());
    if let Source::Build(build) = &service.source
        && let Some(programs) = machine.programs(build)
    {
        let _ = writeln!(
            text,
            "Environment=PATH={programs}:/usr/local/bin:/usr/bin:/bin"
        );
    }
    if secrets_from(machine.plan) == SecretsFrom::Aws {
        // The CloudWatch agent reads files, not the journal.
        let _ = writeln!(
            text,
            "StandardOutput=append:/var/log/{project}/{name}.log\nStandardError=inherit"
        );
    }
    if let Some(cpu) = service.resources.cpu {
        let _ = writeln!(text, "CPUQuota={}%", cpu.limit.0.div_ceil(10));
    }
    if let Some(memory) = service.resources.memory {
        let _ = writeln!(text, "MemoryMax={}", memory.limit.0);
    }
    text.push_str(
        "\
NoNewPrivileges=yes
CapabilityBoundingSet=
LockPersonality=yes
PrivateDevices=yes
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
UMask=0027
",
    );
    for (source, target, read_only) in mounts(machine, service) {
        let state = format!("/var/lib/{project}/");
        if let Some(own) = source.strip_prefix(&state) {
            let _ = writeln!(text, "StateDirectory={project}/{own}");
        }
        if source != target {
            let bind = if read_only {
                "BindReadOnlyPaths"
            } else {
                "BindPaths"
            };
            let colon = |path: &str| path.replace(':', "\\:");
            let both = format!("{}:{}", colon(&source), colon(&target));
            let _ = writeln!(text, "{bind}={}", command::quoted(&both, false));
        }
    }
    for path in &service.writable {
        // `/tmp` is the unit's own already.
        if path != "/tmp" {
            let _ = writeln!(text, "ReadWritePaths=-{}", command::quoted(path, false));
        }
    }
    text
}

/// A path on a line of its own, where only `%` means something.
fn path(path: &str) -> String {
    path.replace('%', "%%").replace('\n', " ")
}

fn seconds(duration: Duration) -> u64 {
    duration.as_secs().max(1)
}
