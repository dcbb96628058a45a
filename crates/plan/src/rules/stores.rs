//! Stores: whether they answer, whether their connections and their memory last, queues, and the age of backups.

use std::time::Duration;

use wharf_base::clock::Timestamp;
use wharf_base::cron::Cron;
use wharf_base::ids::Name;

use super::example::{Example, above, below, percentage};
use super::vocabulary::{Vocabulary, backup_job, fraction, one_of, queues};
use super::{Alerting, Group, Rule};
use crate::model::{Severity, StoreEngine};

const MINUTE: Duration = Duration::from_secs(60);

pub(super) fn group(words: &Vocabulary<'_>) -> Group {
    let mut rules: Vec<Rule> = vec![];
    if let Some(store) = words.stores(StoreEngine::Postgres).next() {
        rules.push(unreachable(words, store, "DatabaseUnreachable", "pg_up").into());
        rules.push(connections(words, store).into());
    }
    if let Some(store) = words.pooled().first() {
        rules.push(pool_exhausted(words, store).into());
    }
    if let Some(store) = words.stores(StoreEngine::Redis).next() {
        rules.push(unreachable(words, store, "RedisUnreachable", "redis_up").into());
        rules.push(redis_memory(words, store).into());
    }
    for (service, store, list, most) in queues(words.plan) {
        rules.push(backlog(words, service, store, list, most).into());
    }
    if let Some(store) = words.backed_up().first() {
        rules.push(backup_too_old(words, store).into());
    }
    Group {
        name: "stores",
        about: "Stores: whether they answer, connections, memory, queues, backups.",
        rules,
    }
}

fn at<'t>(words: &'t Vocabulary<'_>, store: &'t Name) -> [(&'static str, &'t str); 2] {
    [("namespace", words.namespace), ("store", store.as_str())]
}

fn labels(words: &Vocabulary<'_>, store: &Name) -> String {
    format!("namespace=\"{}\", store=\"{store}\"", words.namespace)
}

fn unreachable(words: &Vocabulary<'_>, store: &Name, name: &str, up: &str) -> Alerting {
    let series = format!("{up}{{{}}}", labels(words, store));
    Alerting::new(
        name,
        Severity::Critical,
        format!("max by (namespace, store) ({up}) == 0"),
    )
    .hold(MINUTE)
    .says(
        "The store {{ $labels.store }} does not answer",
        "Its exporter cannot connect. Look at whether it runs, at the network between, and at its password.",
    )
    .example(
        Example::fires("the exporter cannot connect", 5)
            .given(&series, "1 0x10")
            .so(&at(words, store), ""),
    )
    .example(Example::quiet("the exporter is connected", 5).given(&series, "1x10"))
}

fn connections(words: &Vocabulary<'_>, store: &Name) -> Alerting {
    let labels = labels(words, store);
    let case = |example: Example, used: u32| {
        example
            .given(
                format!("pg_stat_activity_count{{{labels}, datname=\"app\", state=\"active\"}}"),
                format!("{used}x20"),
            )
            .given(format!("pg_settings_max_connections{{{labels}}}"), "100x20")
    };
    Alerting::new(
        "DatabaseConnectionsHigh",
        Severity::Warning,
        "sum by (namespace, store) (pg_stat_activity_count)\n\
         / max by (namespace, store) (pg_settings_max_connections) > 0.8",
    )
    .hold(words.thresholds().hold)
    .says(
        "{{ $labels.store }} runs out of connections",
        "{{ $value | humanizePercentage }} of its connections are taken; when all are, services are refused. \
         Look for sessions that are idle in a transaction, and put a pool before it.",
    )
    .example(
        case(Example::fires("90 connections of 100 are taken", 10), 90)
            .so(&at(words, store), "90%"),
    )
    .example(case(
        Example::quiet("half of the connections are taken", 10),
        50,
    ))
}

fn pool_exhausted(words: &Vocabulary<'_>, store: &Name) -> Alerting {
    let waiting = format!(
        "pgbouncer_pools_client_waiting_connections{{{}, database=\"app\", user=\"app\"}}",
        labels(words, store)
    );
    Alerting::new(
        "PoolExhausted",
        Severity::Warning,
        "sum by (namespace, store) (pgbouncer_pools_client_waiting_connections) > 0",
    )
    .hold(words.thresholds().hold)
    .says(
        "Clients wait for a connection to {{ $labels.store }}",
        "{{ $value | humanize }} clients wait for the pool. Look for long transactions, or make the pool larger.",
    )
    .example(
        Example::fires("seven clients wait", 10)
            .given(&waiting, "7x20")
            .so(&at(words, store), "7"),
    )
    .example(Example::quiet("clients wait for a moment only", 10).given(&waiting, "0 7 7 0x20"))
}

fn redis_memory(words: &Vocabulary<'_>, store: &Name) -> Alerting {
    let limit = words.thresholds().memory;
    let labels = labels(words, store);
    let case = |example: Example, used: f64| {
        example
            .given(
                format!("redis_memory_used_bytes{{{labels}}}"),
                format!("{}x20", (used * 10_000.0).round()),
            )
            .given(format!("redis_memory_max_bytes{{{labels}}}"), "10000x20")
    };
    let high = (above(limit).fraction() * 10_000.0).round() / 10_000.0;
    Alerting::new(
        "RedisMemoryHigh",
        Severity::Warning,
        format!(
            "max by (namespace, store) (redis_memory_used_bytes / (redis_memory_max_bytes > 0)) > {}",
            fraction(limit)
        ),
    )
    .hold(words.thresholds().hold)
    .says(
        "{{ $labels.store }} is near its memory limit",
        "{{ $value | humanizePercentage }} of `maxmemory` are in use. Above it keys are evicted or writes refused.",
    )
    .example(
        case(Example::fires("nearly all of the memory is in use", 10), high)
            .so(&at(words, store), percentage(high)),
    )
    .example(case(
        Example::quiet("half of what is tolerated is in use", 10),
        below(limit).fraction(),
    ))
}

fn backlog(
    words: &Vocabulary<'_>,
    service: &Name,
    store: &Name,
    list: &str,
    most: f64,
) -> Alerting {
    let series = format!(
        "redis_key_size{{{}, db=\"db0\", key=\"{list}\"}}",
        labels(words, store)
    );
    Alerting::new(
        "QueueBacklog",
        Severity::Warning,
        format!(
            "sum by (namespace, store, key) (redis_key_size{{key=\"{list}\", store=\"{store}\"}}) > {most}"
        ),
    )
    .why("More jobs than the autoscaler's largest count is meant to carry.")
    .label("service", service)
    .hold(words.thresholds().hold)
    .says(
        "Jobs wait in the queue {{ $labels.key }}",
        "More jobs wait than the workers can be scaled for. Look at whether workers fail, or raise their largest count.",
    )
    .example(
        Example::fires("twice as many jobs wait as can be carried", 10)
            .given(&series, format!("{}x20", most * 2.0))
            .so(
                &[
                    ("namespace", words.namespace),
                    ("store", store.as_str()),
                    ("key", list),
                ],
                "",
            ),
    )
    .example(
        Example::quiet("half as many jobs wait as can be carried", 10)
            .given(&series, format!("{}x20", (most / 2.0).floor())),
    )
}

fn backup_too_old(words: &Vocabulary<'_>, store: &Name) -> Alerting {
    let jobs: Vec<String> = words.backed_up().into_iter().map(backup_job).collect();
    let job = backup_job(store);
    let limit = words
        .backed_up()
        .into_iter()
        .filter_map(|name| {
            let backups = words.plan.stores.get(name)?.backups.as_ref()?;
            between_runs(&backups.schedule)
        })
        .max()
        .unwrap_or(Duration::from_secs(24 * 60 * 60))
        .as_secs()
        * 2;
    let last = format!(
        "kube_cronjob_status_last_successful_time{{cronjob=\"{job}\", namespace=\"{}\"}}",
        words.namespace
    );
    let minutes = limit / 60 + 30;
    let at = [("namespace", words.namespace), ("cronjob", job.as_str())];
    Alerting::new(
        "BackupTooOld",
        Severity::Warning,
        format!(
            "time() - max by (namespace, cronjob) (\n  \
               kube_cronjob_status_last_successful_time{{{}, namespace=\"{}\"}}\n\
             ) > {limit}",
            one_of("cronjob", jobs.iter().map(String::as_str)),
            words.namespace
        ),
    )
    .why("Twice the time from one run to the next: one was missed for sure.")
    .says(
        "The backup {{ $labels.cronjob }} has not succeeded for too long",
        "What was written since cannot be restored. Look at the last job: `kubectl get jobs`.",
    )
    .example(
        Example::fires("the last good run is too long ago", minutes)
            .given(&last, format!("60x{}", minutes + 10))
            .so(&at, ""),
    )
    .example(
        Example::quiet("the last run was good", minutes)
            .given(&last, format!("{}x{}", limit / 2, minutes + 10)),
    )
}

/// How long a schedule lets pass at most between two of its next runs. Any moment will do to count from.
fn between_runs(schedule: &str) -> Option<Duration> {
    let cron = Cron::parse(schedule).ok()?;
    let mut last = cron.next_after(Timestamp(0))?;
    let mut longest = 0;
    // As many as a weekly schedule of one run a day has.
    for _ in 0..7 {
        let next = cron.next_after(last)?;
        longest = longest.max(next.0 - last.0);
        last = next;
    }
    Some(Duration::from_millis(longest))
}
