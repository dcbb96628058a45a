//! How many replicas a service has when nobody says so: autoscaling.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wharf_base::units::{Percent, Share};

/// An autoscaler's policy. A service that has one keeps `replicas` as its first count only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    /// Never fewer than this, at least 1.
    pub min: u32,
    /// Never more than this, at least `min`.
    pub max: u32,
    /// The mean CPU use to aim at, of the request.
    pub cpu: Option<Percent>,
    /// The mean memory use to aim at, of the request.
    pub memory: Option<Percent>,
    /// Further figures to aim at; the largest wish of all wins.
    pub metrics: Vec<ScaleMetric>,
    /// How fast replicas are added.
    pub up: ScalePace,
    /// How fast they are taken away.
    pub down: ScalePace,
}

/// A figure that an autoscaler aims at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScaleMetric {
    /// What the figure is called.
    pub name: String,
    /// Where it comes from.
    pub source: ScaleSource,
    /// How much of it one replica is to carry.
    pub target: f64,
}

/// Where a figure comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScaleSource {
    /// PromQL with one value.
    Query(String),
    /// The length of a Redis list: the jobs that wait in a queue.
    Queue {
        /// Which store.
        store: wharf_base::ids::Name,
        /// Which list.
        list: String,
    },
}

/// How fast an autoscaler goes in one direction: by at most `step` in each `period`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScalePace {
    /// How long a wish has to hold before it is followed; the most cautious wish of that time counts.
    #[serde(with = "wharf_base::duration")]
    pub window: Duration,
    /// How many replicas, or which share of them, in one period; none: any number.
    pub step: Option<Share>,
    /// The period of `step`.
    #[serde(with = "wharf_base::duration")]
    pub period: Duration,
}
