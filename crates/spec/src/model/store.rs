//! `stores`.

use std::time::Duration;

use wharf_base::units::Bytes;

use super::service::Resources;
use crate::decode::{Count, List, Word, record, words};
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
        /// CPU and memory, where Wharf or the cluster runs it.
        [also "limits"]
        [example "{ cpu: 250m..500m, memory: 256Mi..512Mi }"]
        resources: Resources,
        /// The storage class of its volume on a cluster.
        [default "the cluster's"]
        [also "storageClassName" "storage_class"]
        [example "gp2"]
        class: Word,
        /// A pool of connections before a PostgreSQL (PgBouncer); here, not before one with a `url`.
        [also "pgbouncer"]
        [default "there is none"]
        [example "{ size: 20, clients: 200 }"]
        pool: Pool,
    }
    later { "replicas", "instance", "managed", "parameters", "users", "databases", "restore", "encryption" }
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
        /// The volume that dumps are kept on, on a cluster.
        [default "they go to the cloud's bucket, if there is one"]
        [also "storage" "size"]
        [example "20Gi"]
        volume: Bytes,
    }
    later { "to", "verify", "point_in_time", "encrypt" }
}

record! {
    /// A pool of connections before a PostgreSQL.
    pub struct Pool {
        /// Connections to the server.
        [default "20"]
        [also "default_pool_size"]
        size: Count<1, 10_000>,
        /// Connections of clients at most.
        [default "200"]
        [also "max_client_conn"]
        clients: Count<1, 100_000>,
        /// When a client gives its connection to the server back.
        [default "transaction"]
        [also "pool_mode"]
        mode: PoolMode,
    }
}

words! {
    /// When a client gives its connection to the server back.
    pub enum PoolMode: "a word for pools" {
        /// At the end of a transaction.
        Transaction = "transaction",
        /// At the end of its session.
        Session = "session",
    }
}
