//! `stores`.

use std::time::Duration;

use wharf_base::units::Bytes;

use crate::decode::{List, record, words};
use wharf_base::cron::Cron;

record! {
    /// A database or cache. Services refer to it: `${db.url}`, `.host`, `.port`, `.user`, `.password`, `.database`.
    pub struct Store {
        /// Which server.
        [required]
        [also "type" "kind" "image"]
        [example "postgres"]
        engine: Engine,
        /// Its version. Another one on this machine is a warning; in production it is exact.
        [example "\"15\""]
        version: String,
        /// How large it is to be.
        [also "size" "disk"]
        [example "20Gi"]
        storage: Bytes,
        /// Backups.
        [default "none are made"]
        [also "backup"]
        [example "{ keep: 7d }"]
        backups: Backups,
        /// PostgreSQL extensions that are created.
        [example "[pgcrypto]"]
        extensions: List<String>,
        /// An existing server instead of one that Wharf runs. Name it by a variable, so that no password stands here.
        [example "${env.DATABASE_URL}"]
        url: String,
    }
    later { "pool", "replicas", "instance", "managed", "parameters", "users", "databases", "restore", "encryption" }
    extensible true
}

words! {
    /// The servers that Wharf runs.
    pub enum Engine: "a store's engine" {
        /// PostgreSQL.
        Postgres = "postgres",
        /// Redis.
        Redis = "redis",
    }
    later { "mysql", "mariadb", "mongodb", "valkey", "memcached", "rabbitmq", "kafka", "nats", "s3" }
}

record! {
    /// How long backups are kept, and when they are made.
    pub struct Backups {
        /// How long each is kept.
        [default "7d"]
        [also "retention"]
        keep: Duration,
        /// When: cron, five fields, UTC.
        [default "0 3 * * *"]
        schedule: Cron,
    }
    later { "to", "verify", "point_in_time", "encrypt" }
}
