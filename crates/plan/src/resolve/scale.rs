//! `scale` of a service.

use std::time::Duration;

use wharf_base::ids::Name;
use wharf_base::units::{Percent, Share};
use wharf_spec::diagnostic::{Code, Diagnostic};
use wharf_spec::model as spec;
use wharf_spec::span::{Field, Span};

use super::Resolver;
use super::services::suggested;
use crate::model::{Resources, Scale, ScaleMetric, ScalePace, ScaleSource};

/// What most autoscalers aim at where nobody has measured.
const CPU: Percent = Percent::whole(70);
/// Kubernetes' own for HPA v2: at once upwards, the most cautious wish of five minutes downwards, and at most a doubling
/// or all of them in 15 seconds.
const WINDOW_UP: Duration = Duration::ZERO;
const WINDOW_DOWN: Duration = Duration::from_secs(300);
const STEP: Share = Share::Percent(100);
const PERIOD: Duration = Duration::from_secs(15);
/// Kubernetes refuses longer windows (`stabilizationWindowSeconds`) and periods (`periodSeconds`).
const WINDOW_MAX: Duration = Duration::from_secs(3600);
const PERIOD_MAX: Duration = Duration::from_secs(1800);

impl Resolver<'_> {
    pub(super) fn scale(&mut self, typed: &spec::Service, resources: &Resources) -> Option<Scale> {
        let key = typed.scale.key_span()?.clone();
        let fixed = [
            (
                "singleton",
                typed
                    .singleton
                    .key_span()
                    .filter(|_| typed.singleton.value() == Some(&true)),
            ),
            ("schedule", typed.schedule.key_span()),
        ];
        for (word, span) in fixed {
            let Some(span) = span else { continue };
            let message = format!("`scale` has no meaning for a service with `{word}`");
            self.report(
                Diagnostic::error(Code::NOT_HERE, key.clone(), message)
                    .related(span.clone(), "its count is fixed by this"),
            );
            return None;
        }
        let scale = typed.scale.value()?;
        let min = scale.min.value().map_or(1, |min| min.0);
        let max = scale.max.get()?;
        if min > max.value.0 {
            let message = format!("`min` {min} is above `max` {}", max.value.0);
            let diagnostic = Diagnostic::error(Code::BAD_VALUE, max.span.clone(), message);
            self.report(match scale.min.get() {
                Some(typed) => diagnostic.related(typed.span.clone(), "the smallest count"),
                None => diagnostic,
            });
        }
        if let Some(replicas) = typed.replicas.get()
            && !(min..=max.value.0).contains(&replicas.value.0)
            && min <= max.value.0
        {
            let message = format!(
                "`replicas` {} is not between `min` {min} and `max` {} of `scale`",
                replicas.value.0, max.value.0
            );
            self.report(
                Diagnostic::error(Code::BAD_VALUE, replicas.span.clone(), message)
                    .related(key.clone(), "the autoscaler")
                    .help("with `scale`, `replicas` is the count at first; leave it out for `min`"),
            );
        }
        let metrics = self.scale_metrics(&scale.metrics);
        let unsaid = scale.cpu.is_absent() && scale.memory.is_absent() && scale.metrics.is_absent();
        let cpu = scale.cpu.value().copied().or(unsaid.then_some(CPU));
        let memory = scale.memory.value().copied();
        let requests = [
            (
                "cpu",
                cpu.is_some(),
                resources.cpu.is_none(),
                scale.cpu.key_span(),
            ),
            (
                "memory",
                memory.is_some(),
                resources.memory.is_none(),
                scale.memory.key_span(),
            ),
        ];
        for (word, wanted, missing, span) in requests {
            if !wanted
                || !missing
                || (!typed.resources.is_absent() && typed.resources.get().is_none())
            {
                continue;
            }
            let span = span.unwrap_or(&key).clone();
            let message =
                format!("`scale` aims at a share of the {word} request, and `resources` has none");
            self.report(
                Diagnostic::error(Code::MISSING_KEY, span, message)
                    .help(format!("give the service `resources: {{ {word}: … }}`")),
            );
        }
        Some(Scale {
            min,
            max: max.value.0,
            cpu,
            memory,
            metrics,
            up: self.pace(scale.up.value(), WINDOW_UP),
            down: self.pace(scale.down.value(), WINDOW_DOWN),
        })
    }

    fn pace(&mut self, typed: Option<&spec::ScalePace>, window: Duration) -> ScalePace {
        let mut pace = ScalePace {
            window,
            step: Some(STEP),
            period: PERIOD,
        };
        let Some(typed) = typed else { return pace };
        if let Some(step) = typed.step.get() {
            if matches!(step.value.0, Some(Share::Count(0) | Share::Percent(0))) {
                let message = "a step of 0 never changes the count";
                self.report(Diagnostic::error(
                    Code::BAD_VALUE,
                    step.span.clone(),
                    message,
                ));
            }
            pace.step = step.value.0;
        }
        self.bounded(&typed.window, WINDOW_MAX);
        self.bounded(&typed.period, PERIOD_MAX);
        if let Some(period) = typed.period.get()
            && period.value < Duration::from_secs(1)
        {
            let message = "expected a period of at least 1s";
            self.report(Diagnostic::error(
                Code::BAD_VALUE,
                period.span.clone(),
                message,
            ));
        }
        pace.window = typed.window.value().copied().unwrap_or(window);
        pace.period = typed.period.value().copied().unwrap_or(PERIOD);
        pace
    }

    fn bounded(&mut self, typed: &Field<Duration>, max: Duration) {
        if let Some(typed) = typed.get()
            && typed.value > max
        {
            let message = format!("expected at most {}", wharf_base::duration::format(max));
            self.report(Diagnostic::error(
                Code::BAD_VALUE,
                typed.span.clone(),
                message,
            ));
        }
    }

    fn scale_metrics(
        &mut self,
        typed: &Field<wharf_spec::decode::List<spec::ScaleMetric>>,
    ) -> Vec<ScaleMetric> {
        let list = typed
            .value()
            .map(|list| list.0.as_slice())
            .unwrap_or_default();
        let mut metrics: Vec<ScaleMetric> = vec![];
        for item in list {
            let metric = &item.value;
            if let (Some(query), Some(queue)) = (metric.query.key_span(), metric.queue.key_span()) {
                let message = "`query` and `queue` exclude each other";
                self.report(
                    Diagnostic::error(Code::EXCLUSIVE, queue.clone(), message)
                        .related(query.clone(), "the other one"),
                );
                continue;
            }
            if metric.query.is_absent() && metric.queue.is_absent() {
                let message = "the figure has no source";
                self.report(
                    Diagnostic::error(Code::MISSING_KEY, item.span.clone(), message)
                        .label("expected `query` or `queue`"),
                );
            }
            let source = if let Some(query) = metric.query.get() {
                self.check_promql(query);
                Some(ScaleSource::Query(query.value.trim().to_owned()))
            } else {
                self.queue(metric.queue.value())
            };
            let (Some(source), Some(name), Some(target)) =
                (source, metric.name.get(), metric.target.value())
            else {
                continue;
            };
            if metrics
                .iter()
                .any(|other| other.name == name.value.as_str())
            {
                let message = format!("two figures are called `{}`", name.value);
                self.report(Diagnostic::error(
                    Code::DUPLICATE_NAME,
                    name.span.clone(),
                    message,
                ));
            }
            metrics.push(ScaleMetric {
                name: name.value.to_string(),
                source,
                target: target.0,
            });
        }
        metrics
    }

    fn queue(&mut self, typed: Option<&spec::Queue>) -> Option<ScaleSource> {
        let (store, list) = (typed?.store.get()?, typed?.list.value()?);
        self.check_store(&store.value, &store.span);
        if self.engine_of(&store.value) == Some(spec::Engine::Postgres) {
            let message = format!(
                "`{}` is a PostgreSQL; a queue is a list of a Redis",
                store.value
            );
            self.report(
                Diagnostic::error(Code::NOT_HERE, store.span.clone(), message)
                    .help("ask a PostgreSQL by a `query`"),
            );
        }
        Some(ScaleSource::Queue {
            store: store.value.clone(),
            list: list.0.clone(),
        })
    }

    /// Reports a store that the file does not have.
    pub(super) fn check_store(&mut self, name: &Name, span: &Span) {
        if !self.has_store(name.as_str()) && !self.findings.is_full() {
            let message = format!("there is no store `{name}`");
            let diagnostic = Diagnostic::error(Code::UNKNOWN_NAME, span.clone(), message);
            let stores = self.store_names();
            self.report(suggested(diagnostic, name.as_str(), stores.into_iter()));
        }
    }

    /// Reports a service that the file does not have.
    pub(super) fn check_service(&mut self, name: &Name, span: &Span) {
        if !self.has_service(name.as_str()) && !self.findings.is_full() {
            let message = format!("there is no service `{name}`");
            let diagnostic = Diagnostic::error(Code::UNKNOWN_NAME, span.clone(), message);
            let services = self.service_names();
            self.report(suggested(diagnostic, name.as_str(), services.into_iter()));
        }
    }

    /// Which server a store is, as typed.
    pub(super) fn engine_of(&self, store: &Name) -> Option<spec::Engine> {
        let entry = self.spec.stores.value()?.get(store.as_str())?;
        entry.value.as_ref()?.value.engine.value().copied()
    }
}
