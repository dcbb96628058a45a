//! `scale` of a service.

use std::time::Duration;

use wharf_base::ids::Name;
use wharf_base::units::{Percent, Share};

use crate::decode::{Count, Figure, Line, List, Unlimited, record};

record! {
    /// An autoscaler's policy: the largest wish of its figures wins, within `min` and `max`.
    pub struct Scale {
        /// Never fewer.
        [default "1"]
        [also "minReplicas" "min_replicas"]
        min: Count<1, 1000>,
        /// Never more.
        [required]
        [also "maxReplicas" "max_replicas"]
        [example "10"]
        max: Count<1, 1000>,
        /// The mean CPU use to aim at, of the request.
        [default "not looked at; 70% if nothing else is given"]
        [also "targetCPUUtilizationPercentage"]
        [example "70%"]
        cpu: Percent,
        /// The mean memory use to aim at, of the request.
        [default "not looked at"]
        [example "80%"]
        memory: Percent,
        /// Further figures to aim at.
        [example "[{ name: queue-depth, queue: { store: cache, list: jobs }, target: 10 }]"]
        metrics: List<ScaleMetric>,
        /// How fast replicas are added.
        [also "scaleUp" "scale_up"]
        up: ScalePace,
        /// How fast they are taken away.
        [also "scaleDown" "scale_down"]
        down: ScalePace,
    }
    later { "schedule", "requests" }
}

record! {
    /// A figure that an autoscaler aims at: a `query` or a `queue`.
    pub struct ScaleMetric {
        /// What the figure is called.
        [required]
        [example "queue-depth"]
        name: Name,
        /// PromQL with one value.
        [example "sum(rate(http_requests_total[1m]))"]
        query: String,
        /// The length of a Redis list: the jobs that wait in a queue.
        [example "{ store: cache, list: celery }"]
        queue: Queue,
        /// How much of it one replica is to carry.
        [required]
        [also "value" "averageValue" "threshold"]
        [example "10"]
        target: Figure,
    }
}

record! {
    /// A queue of jobs in a Redis.
    pub struct Queue {
        /// Which store.
        [required]
        [example "cache"]
        store: Name,
        /// Which list.
        [required]
        [also "key" "name" "listName"]
        [example "celery"]
        list: Line,
    }
}

record! {
    /// How fast an autoscaler goes in one direction: by at most `step` in each `period`.
    pub struct ScalePace {
        /// How long a wish has to hold before it is followed; the most cautious wish of that time counts.
        [default "0s; 5m downwards"]
        [also "stabilizationWindowSeconds"]
        window: Duration,
        /// How many replicas, or which share of them, in one period. `unlimited` lifts it.
        [default "100%"]
        [also "value" "policies"]
        step: Unlimited<Share>,
        /// The period of `step`.
        [default "15s"]
        [also "periodSeconds"]
        period: Duration,
    }
}
