//! Redis: hit ratio, memory, keys, commands, queues.

use wharf_plan::model::StoreEngine;
use wharf_plan::rules::vocabulary::{Vocabulary, queues};

use super::dashboard::Dashboard;
use super::panel::Panel;

const OF: &str = "namespace=\"$namespace\", store=~\"$store\"";

pub(super) fn dashboard(words: &Vocabulary<'_>) -> Option<Dashboard> {
    words.stores(StoreEngine::Redis).next()?;
    let memory = words.thresholds().memory.fraction();
    let board = Dashboard::new(
        "redis",
        "Redis",
        "Redis: hit ratio, memory, keys, commands, clients.",
    )
    .by_namespace("redis_up", words.namespace)
    .by("store", "Store", "redis_up{namespace=\"$namespace\"}", "store")
    .row("Now", now())
    .row(
        "Memory and keys",
        vec![
            Panel::lines("Memory", "bytes", "Memory in use, and the most that is allowed (0: not limited).")
                .query(format!("max by (store) (redis_memory_used_bytes{{{OF}}})"), "{{store}} used")
                .query(format!("max by (store) (redis_memory_max_bytes{{{OF}}})"), "{{store}} at most")
                .sized(8, 8),
            Panel::lines("Memory of the limit", "percentunit", "Where a limit is set; above it keys are evicted or writes refused.")
                .query(
                    format!("max by (store) (redis_memory_used_bytes{{{OF}}} / (redis_memory_max_bytes{{{OF}}} > 0))"),
                    "{{store}}",
                )
                .bad_above(memory)
                .up_to(1.0)
                .sized(8, 8),
            Panel::lines("Keys", "short", "Keys in each database.")
                .query(format!("sum by (store, db) (redis_db_keys{{{OF}}} > 0)"), "{{store}} {{db}}")
                .sized(8, 8),
            Panel::lines("Expired and evicted", "ops", "Keys a second that ended as they should, and that had to go for want of memory.")
                .query(format!("sum by (store) (rate(redis_expired_keys_total{{{OF}}}[$__rate_interval]))"), "{{store}} expired")
                .query(format!("sum by (store) (rate(redis_evicted_keys_total{{{OF}}}[$__rate_interval]))"), "{{store}} evicted"),
            Panel::lines("Hits and misses", "ops", "Look-ups a second that found a key, and that did not.")
                .query(format!("sum by (store) (rate(redis_keyspace_hits_total{{{OF}}}[$__rate_interval]))"), "{{store}} hits")
                .query(format!("sum by (store) (rate(redis_keyspace_misses_total{{{OF}}}[$__rate_interval]))"), "{{store}} misses"),
        ],
    )
    .row(
        "Commands",
        vec![
            Panel::lines("Commands", "ops", "Commands a second, the ten most frequent.")
                .query(
                    format!("topk(10, sum by (cmd) (rate(redis_commands_total{{{OF}}}[$__rate_interval])))"),
                    "{{cmd}}",
                )
                .sized(8, 8),
            Panel::lines("Time of a command", "s", "The mean time within the server, the ten slowest commands.")
                .query(
                    format!(
                        "topk(10, sum by (cmd) (rate(redis_commands_duration_seconds_total{{{OF}}}[$__rate_interval])) / (sum by (cmd) (rate(redis_commands_total{{{OF}}}[$__rate_interval])) > 0))"
                    ),
                    "{{cmd}}",
                )
                .bad_above(0.01)
                .sized(8, 8),
            Panel::lines("Clients", "short", "Clients that are connected, and that wait in a blocking command.")
                .query(format!("sum by (store) (redis_connected_clients{{{OF}}})"), "{{store}} connected")
                .query(format!("sum by (store) (redis_blocked_clients{{{OF}}})"), "{{store}} blocked")
                .sized(8, 8),
        ],
    );
    Some(board.row("Queues", lists(words)))
}

fn now() -> Vec<Panel> {
    vec![
        Panel::number("Answers", "bool_yes_no", "Whether the exporter can connect.")
            .query(format!("min(redis_up{{{OF}}})"), "")
            .bad_below(1.0)
            .up_to(1.0),
        Panel::number("Hit ratio", "percentunit", "The part of the look-ups that found a key.")
            .query(
                format!(
                    "sum(rate(redis_keyspace_hits_total{{{OF}}}[5m])) / (sum(rate(redis_keyspace_hits_total{{{OF}}}[5m])) + sum(rate(redis_keyspace_misses_total{{{OF}}}[5m])))"
                ),
                "",
            )
            .bad_below(0.9)
            .up_to(1.0),
        Panel::number("Memory", "bytes", "Memory in use.")
            .query(format!("sum(redis_memory_used_bytes{{{OF}}})"), ""),
        Panel::number("Keys", "short", "Keys of all databases.")
            .query(format!("sum(redis_db_keys{{{OF}}})"), ""),
        Panel::number("Commands", "ops", "Commands a second.")
            .query(format!("sum(rate(redis_commands_processed_total{{{OF}}}[5m]))"), ""),
        Panel::number("Clients", "short", "Clients that are connected.")
            .query(format!("sum(redis_connected_clients{{{OF}}})"), ""),
    ]
}

fn lists(words: &Vocabulary<'_>) -> Vec<Panel> {
    queues(words.plan)
        .into_iter()
        .map(|(service, store, list, most)| {
            Panel::lines(
                &format!("Queue {list} of {service}"),
                "short",
                "Jobs that wait; the line is what the largest number of workers is meant to carry.",
            )
            .query(
                format!("sum by (db) (redis_key_size{{namespace=\"$namespace\", store=\"{store}\", key=\"{list}\"}})"),
                "{{db}}",
            )
            .bad_above(most)
        })
        .collect()
}
