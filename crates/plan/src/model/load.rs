//! Load scenarios: what users do, how many of them, and what they may expect.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wharf_base::ids::Name;
use wharf_base::units::{Percent, Rate};

/// One scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    /// Which service's route is asked.
    pub service: Name,
    /// How many users at once.
    pub users: u32,
    /// How long, ramps included.
    #[serde(with = "wharf_base::duration")]
    pub duration: Duration,
    /// Until all users are there.
    #[serde(with = "wharf_base::duration")]
    pub ramp_up: Duration,
    /// From the first that leaves to the last.
    #[serde(with = "wharf_base::duration")]
    pub ramp_down: Duration,
    /// What a user waits between two requests.
    #[serde(with = "wharf_base::duration")]
    pub think_time: Duration,
    /// What users ask, each as often as its weight says.
    pub requests: Vec<LoadRequest>,
    /// What has to hold.
    pub thresholds: LoadThresholds,
}

/// One kind of request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadRequest {
    /// `GET`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// How often beside the others.
    pub weight: u32,
    /// Headers.
    pub headers: BTreeMap<String, String>,
    /// The JSON body.
    pub body: Option<serde_json::Value>,
    /// The status that is right.
    pub expect: u16,
}

/// What has to hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadThresholds {
    /// 95 of 100 answers within this.
    #[serde(with = "super::optional_duration")]
    pub p95: Option<Duration>,
    /// 99 of 100 answers within this.
    #[serde(with = "super::optional_duration")]
    pub p99: Option<Duration>,
    /// At most this part fails.
    pub errors: Option<Percent>,
    /// At least so many requests.
    pub rate: Option<Rate>,
}

/// One operation of a service's HTTP API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// `GET`.
    pub method: String,
    /// The path, with `{name}` for what varies.
    pub path: String,
    /// What it does, in one line.
    pub summary: Option<String>,
    /// The JSON Schema of the request's body.
    pub request: Option<serde_json::Value>,
    /// The JSON Schema of the good answer's body.
    pub response: Option<serde_json::Value>,
    /// The status of the good answer.
    pub status: u16,
}
