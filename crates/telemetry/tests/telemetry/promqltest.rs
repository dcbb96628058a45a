//! Prometheus's `promqltest` scripts over HTTP: samples through remote write, queries through the API.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value as Json;
use wharf_promql::testing::{Features, Outcome, Script, Target, run};
use wharf_promql::{Element, Evaluated, ParseOptions, Value};
use wharf_protocols::remote_write::{TimeSeries, WriteRequest, encode};
use wharf_signal::{Labels, Sample, Series};
use wharf_telemetry::Mode;

use crate::ask::Server;
use crate::require::skip;

struct Http(Server);

impl Target for Http {
    fn load(&mut self, series: &[Series]) -> Result<(), String> {
        // Of two definitions of one series the later counts, as in Prometheus's own runner.
        let series: BTreeMap<&Labels, &Series> = series
            .iter()
            .map(|series| (&series.labels, series))
            .collect();
        let request = WriteRequest {
            series: series
                .into_values()
                .map(|series| TimeSeries {
                    labels: series.labels.clone(),
                    samples: series.samples.clone(),
                    ..TimeSeries::default()
                })
                .collect(),
            ..WriteRequest::default()
        };
        let headers = "Content-Encoding: snappy\r\nContent-Type: application/x-protobuf\r\n";
        let answer = self.0.post("/api/v1/write", headers, &encode(&request));
        match answer.status {
            204 => Ok(()),
            status => Err(format!("{status}: {}", answer.text())),
        }
    }

    fn clear(&mut self) -> Result<(), String> {
        let path = "/api/v1/admin/tsdb/delete_series?match[]=%7B__name__%3D~%22.%2B%22%7D";
        let answer = self.0.post(path, "", b"");
        match answer.status {
            204 => Ok(()),
            status => Err(format!("{status}: {}", answer.text())),
        }
    }

    fn instant(&mut self, query: &str, at: i64) -> Result<Evaluated, String> {
        self.ask("/api/v1/query", &[("query", query), ("time", &seconds(at))])
    }

    fn range(&mut self, query: &str, start: i64, end: i64, step: i64) -> Result<Evaluated, String> {
        let parameters = [
            ("query", query),
            ("start", &seconds(start)),
            ("end", &seconds(end)),
            ("step", &seconds(step)),
        ];
        self.ask("/api/v1/query_range", &parameters)
    }
}

impl Http {
    fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Evaluated, String> {
        let body: String = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(parameters)
            .finish();
        let headers = "Content-Type: application/x-www-form-urlencoded\r\n";
        let answer = self.0.post(path, headers, body.as_bytes()).json();
        if answer["status"] != "success" {
            return Err(answer["error"].as_str().unwrap_or_default().to_owned());
        }
        Ok(Evaluated {
            value: value(&answer["data"]),
            warnings: texts(&answer["warnings"]),
            infos: texts(&answer["infos"]),
        })
    }
}

fn seconds(millis: i64) -> String {
    let sign = if millis < 0 { "-" } else { "" };
    let millis = millis.unsigned_abs();
    format!("{sign}{}.{:03}", millis / 1000, millis % 1000)
}

fn texts(json: &Json) -> Vec<String> {
    let texts = json.as_array().into_iter().flatten();
    texts
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
}

fn value(data: &Json) -> Value {
    let result = &data["result"];
    let list = || result.as_array().into_iter().flatten();
    match data["resultType"].as_str().unwrap() {
        "scalar" => Value::Scalar(sample(result)),
        "string" => Value::String {
            t: sample_time(result),
            v: result[1].as_str().unwrap().to_owned(),
        },
        "vector" => Value::Vector(
            list()
                .map(|one| Element {
                    labels: labels(&one["metric"]),
                    sample: sample(&one["value"]),
                })
                .collect(),
        ),
        _ => Value::Matrix(
            list()
                .map(|one| Series {
                    labels: labels(&one["metric"]),
                    samples: one["values"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(sample)
                        .collect(),
                })
                .collect(),
        ),
    }
}

fn labels(metric: &Json) -> Labels {
    let pairs = metric.as_object().unwrap().iter();
    Labels::from_pairs(pairs.map(|(name, value)| (name.as_str(), value.as_str().unwrap())))
}

fn sample(pair: &Json) -> Sample {
    let v = match pair[1].as_str().unwrap() {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        text => text.parse().unwrap(),
    };
    Sample {
        t: sample_time(pair),
        v,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "times of the test")]
fn sample_time(pair: &Json) -> i64 {
    (pair[0].as_f64().unwrap() * 1000.0).round() as i64
}

/// The scripts give over HTTP what they give within the evaluator's own tests, which account for every eval.
#[test]
fn every_script_passes_over_http() {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/promqltest");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        return skip("the scripts of promqltest are not beside the repository");
    };
    let features = Features {
        language: ParseOptions {
            experimental_functions: true,
        },
        at_variants: false,
    };
    let mut target = Http(Server::start(Mode::Test));
    let (mut evals, mut passed) = (0, 0);
    let mut failed = vec![];
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.ends_with(".test") {
            continue;
        }
        let script = Script::parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
        target.clear().unwrap();
        for ran in run(&script, &mut target, features).unwrap() {
            evals += 1;
            match ran.outcome {
                Outcome::Passed => passed += 1,
                Outcome::Failed(why) => failed.push(format!("{name}:{} {why}", ran.line)),
                Outcome::Excluded(_) => {}
            }
        }
    }
    eprintln!("{evals} evals, {passed} passed, {} failed", failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
