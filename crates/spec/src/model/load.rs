//! `load`, and `api` of a service.

use std::time::Duration;

use serde_json::Value;
use wharf_base::ids::Name;
use wharf_base::units::{Percent, Rate};

use crate::decode::{Count, HeaderName, Line, List, Table, UrlPath, record, words};

record! {
    /// What users do, how many of them, and what they may expect.
    pub struct Scenario {
        /// Which service's route is asked.
        [required]
        [example "web"]
        service: Name,
        /// How many users at once.
        [required]
        [also "vus" "virtual_users" "concurrency"]
        [example "200"]
        users: Count<1, 1_000_000>,
        /// How long, ramps included.
        [required]
        [example "15m"]
        duration: Duration,
        /// Until all users are there.
        [default "a tenth of the duration, at most 1m"]
        ramp_up: Duration,
        /// From the first that leaves to the last.
        [default "half of `ramp_up`"]
        ramp_down: Duration,
        /// What a user waits between two requests.
        [default "0s with a `rate` to reach, else 1s"]
        [also "sleep" "wait_time"]
        think_time: Duration,
        /// What users ask.
        [required]
        [also "steps" "tasks"]
        [example "[{ path: /items }]"]
        requests: List<LoadRequest>,
        /// What has to hold.
        [also "expect" "limits"]
        [example "{ p95: 200ms, errors: 1% }"]
        thresholds: LoadThresholds,
    }
    later { "stages", "pattern", "setup", "login" }
}

record! {
    /// One kind of request.
    pub struct LoadRequest {
        /// The method.
        [default "GET"]
        method: Method,
        /// Path and query.
        [required]
        [also "url"]
        [example "/items"]
        path: UrlPath,
        /// How often beside the others.
        [default "1"]
        weight: Count<1, 1_000>,
        /// Headers.
        headers: Table<HeaderName, Line>,
        /// The JSON body.
        [also "json" "data"]
        [example "{ name: \"from a load test\" }"]
        body: Value,
        /// The status that is right.
        [default "200"]
        [also "status"]
        expect: Count<100, 599>,
    }
}

record! {
    /// What has to hold.
    pub struct LoadThresholds {
        /// 95 of 100 answers within this.
        [example "200ms"]
        p95: Duration,
        /// 99 of 100 answers within this.
        [example "1s"]
        p99: Duration,
        /// At most this part fails.
        [also "error_rate" "failures"]
        [example "1%"]
        errors: Percent,
        /// At least so many requests.
        [also "rps" "throughput"]
        [example "1000/s"]
        rate: Rate,
    }
}

words! {
    /// Methods of HTTP.
    pub enum Method: "a method" {
        /// Reads.
        Get = "GET",
        /// Reads the head.
        Head = "HEAD",
        /// Adds.
        Post = "POST",
        /// Replaces.
        Put = "PUT",
        /// Changes.
        Patch = "PATCH",
        /// Removes.
        Delete = "DELETE",
        /// Asks what is allowed.
        Options = "OPTIONS",
    }
}

record! {
    /// One operation of a service's HTTP API.
    pub struct Operation {
        /// The method.
        [default "GET"]
        method: Method,
        /// The path, with `{name}` for what varies.
        [required]
        [example "/items/{id}"]
        path: UrlPath,
        /// What it does, in one line.
        [also "description"]
        [example "\"Every item\""]
        summary: Line,
        /// The JSON Schema of the request's body.
        [example "{ type: object }"]
        request: Value,
        /// The JSON Schema of the good answer's body.
        [example "{ type: array }"]
        response: Value,
        /// The status of the good answer.
        [default "200"]
        status: Count<100, 599>,
    }
    later { "parameters", "errors", "tags" }
}
