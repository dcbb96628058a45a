//! The units, as texts.

use std::time::Duration;

use wharf_base::ids::Name;
use wharf_plan::model::{Command, Condition, Service, Source};

use super::{calendar, command, secrets_from};
use crate::line::line;
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
    let mut units = vec![sandbox_unit(machine), environment_unit(machine)];
    if secrets_from(plan) == SecretsFrom::Aws {
        units.extend(rotation_units(machine));
    }
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
        let many = machine.instances(service) > 1;
        if service.schedule.is_none() {
            if many {
                let all = 1..=machine.instances(service);
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

/// What no unit of the project may do: systemd reads this folder for every unit whose name begins with the project's.
fn sandbox_unit(machine: &Machine<'_>) -> Unit {
    Unit {
        name: format!("{}-.service.d/sandbox.conf", machine.plan.name),
        text: SANDBOX.to_owned(),
    }
}

/// `systemd.exec(5)`: the file system is read-only, there is no capability and no device.
const SANDBOX: &str = "\
[Service]
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
";

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
"
    );
    Unit {
        name: format!("{project}-environment.service"),
        text,
    }
}

/// What notices that a secret has been replaced.
fn rotation_units(machine: &Machine<'_>) -> [Unit; 2] {
    let project = &machine.plan.name;
    let service = format!(
        "\
[Unit]
Description=Services of {project} whose secrets were replaced
Requisite={project}-environment.service
After={project}-environment.service

[Service]
Type=oneshot
ExecStart=/usr/local/lib/{project}/environment
ReadWritePaths=/run/{project}
"
    );
    let timer = format!(
        "\
[Unit]
Description=Looks every minute for secrets of {project} that were replaced

[Timer]
OnActiveSec=1min
OnUnitInactiveSec=1min
AccuracySec=1s

[Install]
WantedBy=timers.target
"
    );
    [("service", service), ("timer", timer)].map(|(kind, text)| Unit {
        name: format!("{project}-rotation.{kind}"),
        text,
    })
}

fn target_unit(machine: &Machine<'_>, wanted: &[String]) -> Unit {
    let project = &machine.plan.name;
    let mut text = format!("[Unit]\nDescription=Everything of {project}\n");
    for unit in wanted {
        line!(text, "Wants={unit}");
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
        line!(text, "OnCalendar={expression}");
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
        line!(text, "ExecStart={lock}{line}");
        line!(text, "TimeoutStartSec={}", seconds(release.timeout));
    }
    text.push_str(&execution(machine, name, service));
    text
}

fn service_unit(machine: &Machine<'_>, name: &Name, service: &Service) -> String {
    let project = &machine.plan.name;
    let own = Command::Exec(vec![name.to_string()]);
    let meant = service.command.as_ref().unwrap_or(&own);
    let instance = if machine.instances(service) > 1 {
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
        line!(text, "PartOf={project}.target");
    }
    text.push_str("\n[Service]\n");
    let notifies = command::program(meant).ends_with("gunicorn");
    let kind = match (&service.schedule, notifies) {
        (Some(_), _) => "oneshot",
        (None, true) => "notify",
        (None, false) => "exec",
    };
    line!(text, "Type={kind}");
    line!(text, "ExecStart={}", command::line(machine, service, meant));
    if notifies {
        // Gunicorn says when its workers may be asked, and takes a new configuration without an interruption.
        text.push_str("NotifyAccess=main\nExecReload=/bin/kill -s HUP $MAINPID\n");
    }
    match &service.schedule {
        Some(schedule) => {
            if let Some(timeout) = schedule.timeout {
                line!(text, "TimeoutStartSec={}", seconds(timeout));
            }
        }
        None => text.push_str("Restart=always\nRestartSec=2\n"),
    }
    // The main process is asked to end and finishes its requests; whatever is left then is killed.
    line!(
        text,
        "KillMode=mixed\nTimeoutStopSec={}",
        seconds(service.stop_timeout)
    );
    text.push_str(&execution(machine, name, service));
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
        if machine.runs(other)
            && machine.instances(other) == 1
            && *condition != Condition::Completed
        {
            let unit = format!("{}.service", machine.unit(needed));
            line!(text, "Wants={unit}");
            after.push(unit);
        }
    }
    line!(text, "After={}", after.join(" "));
    text
}

/// Who the program is, what it knows, what it may use and touch.
fn execution(machine: &Machine<'_>, name: &Name, service: &Service) -> String {
    let project = &machine.plan.name;
    let user = machine.user();
    let mut text = format!(
        "User={user}\nGroup={user}\nWorkingDirectory={}\n",
        path(&machine.working_folder(service))
    );
    for file in &service.env_files {
        line!(
            text,
            "EnvironmentFile=-{}",
            path(&format!(
                "{}/{}",
                machine.source(),
                file.trim_start_matches("./")
            ))
        );
    }
    line!(text, "EnvironmentFile={}/{name}.env", machine.run_folder());
    if let Source::Build(build) = &service.source
        && let Some(programs) = machine.programs(build)
    {
        line!(
            text,
            "Environment=PATH={programs}:/usr/local/bin:/usr/bin:/bin"
        );
    }
    if secrets_from(machine.plan) == SecretsFrom::Aws {
        // The CloudWatch agent reads files, not the journal.
        line!(
            text,
            "StandardOutput=append:/var/log/{project}/{name}.log\nStandardError=inherit"
        );
    }
    if let Some(cpu) = service.resources.cpu {
        line!(text, "CPUQuota={}%", cpu.limit.0.div_ceil(10));
    }
    if let Some(memory) = service.resources.memory {
        line!(text, "MemoryMax={}", memory.limit.0);
    }
    // The home of the user, where programs keep sockets and caches.
    let mut state = format!("StateDirectory={project}");
    let mut binds = String::new();
    for (source, target, read_only) in mounts(machine, service) {
        if let Some(own) = source.strip_prefix(&format!("{}/", machine.state())) {
            state.push_str(&format!(" {project}/{own}"));
        }
        if source != target {
            let bind = if read_only {
                "BindReadOnlyPaths"
            } else {
                "BindPaths"
            };
            let colon = |path: &str| path.replace(':', "\\:");
            let both = format!("{}:{}", colon(&source), colon(&target));
            line!(binds, "{bind}={}", command::quoted(&both, false));
        }
    }
    line!(text, "{state}\nStateDirectoryMode=0750");
    text.push_str(&binds);
    for path in &service.writable {
        // `/tmp` is the unit's own already.
        if path != "/tmp" {
            line!(text, "ReadWritePaths=-{}", command::quoted(path, false));
        }
    }
    // What it is sent, such as uploads, lies beside the program, for Nginx.
    for folder in machine.static_folders(service) {
        line!(text, "ReadWritePaths=-{}", command::quoted(&folder, false));
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
