//! `wharf scale`

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use wharf_base::ids::Name;
use wharf_engine::api::ScaleRequest;

use crate::args::{Global, Scale};
use crate::exit::{Code, failure};
use crate::launcher::{block_on, ensure_engine};
use crate::output::Output;
use crate::project::{Project, actor};

/// How long to wait for the new replicas, unless `--timeout` says otherwise.
const WAIT: Duration = Duration::from_secs(300);

/// From one question to the next.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) fn run(global: &Global, args: &Scale, output: &Output) -> anyhow::Result<Code> {
    let project = Project::locate(global)?;
    let services = args.services.iter().map(|text| parse(text)).collect::<anyhow::Result<BTreeMap<Name, u32>>>()?;
    block_on(async {
        let client = ensure_engine(&project.state).await?;
        client.scale(&ScaleRequest { services: services.clone(), actor: actor() }).await?;
        let deadline = Instant::now() + global.timeout.unwrap_or(WAIT);
        loop {
            let status = client.status().await?;
            let waiting: Vec<_> = status
                .services
                .iter()
                .filter(|service| services.contains_key(&service.name))
                .filter(|service| service.ready != service.desired || service.replicas.len() != service.desired as usize)
                .collect();
            if waiting.is_empty() {
                break;
            }
            if Instant::now() >= deadline {
                let service = waiting[0];
                let why = service.message.as_deref().map(|message| format!(": {message}")).unwrap_or_default();
                let message = format!("`{}` has {} of {} replicas ready{why}", service.name, service.ready, service.desired);
                return Err(failure(Code::Failed, message, "`wharf logs` shows what they wrote; the scaling goes on"));
            }
            tokio::time::sleep(PAUSE).await;
        }
        for (name, count) in &services {
            output.line(&format!("{name} has {count} replicas"));
        }
        Ok(Code::Done)
    })
}

fn parse(text: &str) -> anyhow::Result<(Name, u32)> {
    let parts = text.split_once('=').and_then(|(name, count)| Some((name.parse().ok()?, count.parse().ok()?)));
    parts.ok_or_else(|| failure(Code::Usage, format!("expected SERVICE=N, found `{text}`"), "for example `wharf scale web=3`"))
}
