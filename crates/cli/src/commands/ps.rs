//! `wharf ps`

use wharf_engine::api::{ReplicaState, ReplicaStatus, Status};

use crate::args::Global;
use crate::commands::rollout::sentence;
use crate::exit::Code;
use crate::launcher::{block_on, engine_of};
use crate::output::{Output, Style, paint};
use crate::project::Project;
use crate::terminal::moment;

/// A cell of the table.
type Cell = (String, Option<Style>);

pub(crate) fn run(global: &Global, output: &Output) -> anyhow::Result<Code> {
    let project = Project::locate(global)?;
    let status = block_on(async { Ok(engine_of(&project.state).await?.status().await?) })?;
    if output.json {
        output.compact(&status)?;
    } else {
        print(&status, output);
    }
    Ok(Code::Done)
}

fn print(status: &Status, output: &Output) {
    let release = status
        .release
        .map(|release| format!(" at {release}"))
        .unwrap_or_default();
    let url = status.url.as_deref().unwrap_or("no address yet");
    output.line(&format!(
        "{}{release}  {url}",
        paint(status.project.as_str(), Style::Strong, output.color_out)
    ));
    if let Some(rollout) = status
        .rollout
        .as_ref()
        .filter(|rollout| !rollout.outcome.is_final() || rollout.message.is_some())
    {
        output.line(&sentence(rollout, output));
    }
    let mut rows = vec![];
    for service in &status.services {
        let all = service.replicas.iter().map(|replica| (replica, true));
        let leaving = service
            .leaving
            .iter()
            .map(|replica| (replica, output.verbose || is_busy(replica)));
        let shown: Vec<&ReplicaStatus> = all
            .chain(leaving)
            .filter(|(_, shown)| *shown)
            .map(|(r, _)| r)
            .collect();
        let ready = format!("{}/{}", service.ready, service.desired);
        if shown.is_empty() {
            let state = match service.next_run {
                Some(next) => format!("runs next at {}", moment(next)),
                None => service.message.clone().unwrap_or_default(),
            };
            rows.push(vec![
                (service.name.to_string(), None),
                (ready.clone(), None),
                (String::new(), None),
                (state, Some(Style::Busy)),
            ]);
        }
        for (index, replica) in shown.into_iter().enumerate() {
            let first = |text: &str| {
                if index == 0 {
                    text.to_owned()
                } else {
                    String::new()
                }
            };
            let number =
                |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
            rows.push(vec![
                (first(service.name.as_str()), None),
                (first(&ready), None),
                (replica.id.to_string(), None),
                (
                    replica.state.as_str().to_owned(),
                    Some(state_style(replica.state)),
                ),
                (number(replica.pid), None),
                (number(replica.port.map(u32::from)), None),
                (replica.restarts.to_string(), None),
            ]);
        }
    }
    for store in &status.stores {
        let queues = store.queues.iter();
        let queues: Vec<String> = queues
            .map(|(list, jobs)| format!("{list}: {jobs}"))
            .collect();
        let state = if queues.is_empty() {
            store.state.clone()
        } else {
            format!("{} ({})", store.state, queues.join(", "))
        };
        let state = (state, Some(store_style(&store.state)));
        rows.push(store_row(
            store.name.as_str(),
            &store.engine,
            state,
            store.pid,
            store.port,
        ));
        if let Some(pool) = &store.pool {
            let state = (pool.state.clone(), Some(store_style(&pool.state)));
            rows.push(store_row("", "pgbouncer", state, pool.pid, pool.port));
        }
    }
    output.table(
        &[
            "name", "ready", "replica", "state", "pid", "port", "restarts",
        ],
        &rows,
    );
    let messages = status
        .services
        .iter()
        .filter_map(|service| Some((&service.name, service.message.as_ref()?)));
    let stores = status
        .stores
        .iter()
        .filter_map(|store| Some((&store.name, store.message.as_ref()?)));
    for (name, message) in messages.chain(stores) {
        output.line(&format!("{name}: {message}"));
    }
    let pools = status
        .stores
        .iter()
        .filter_map(|store| Some((&store.name, store.pool.as_ref()?.message.as_ref()?)));
    for (name, message) in pools {
        output.line(&format!("{name}: its pool: {message}"));
    }
}

fn store_row(
    name: &str,
    program: &str,
    state: Cell,
    pid: Option<u32>,
    port: Option<u16>,
) -> Vec<Cell> {
    let number = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
    let plain = |text: String| (text, None);
    vec![
        plain(name.to_owned()),
        plain(String::new()),
        plain(program.to_owned()),
        state,
        plain(number(pid)),
        plain(number(port.map(u32::from))),
    ]
}

fn store_style(state: &str) -> Style {
    if matches!(state, "ready" | "external") {
        Style::Good
    } else {
        Style::Bad
    }
}

fn is_busy(replica: &ReplicaStatus) -> bool {
    replica.state != ReplicaState::Standby
}

fn state_style(state: ReplicaState) -> Style {
    match state {
        ReplicaState::Ready | ReplicaState::Completed => Style::Good,
        ReplicaState::Unready | ReplicaState::CrashLoop | ReplicaState::Restarting => Style::Bad,
        ReplicaState::Starting => Style::Busy,
        ReplicaState::Draining | ReplicaState::Standby | ReplicaState::Stopping => Style::Faint,
    }
}
