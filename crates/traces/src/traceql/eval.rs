//! Whether spans are what a query looks for.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use wharf_signal::{SpanId, SpanKind, SpanStatus};

use super::{Aggregate, Expr, Field, FieldKind, Op, Query, Spanset, SpansetOp, Stage, Static};
use crate::assemble::Summary;
use crate::codec::{SpanRef, ValueRef};
use crate::tags::Scope;

/// How many parents up a chain is followed: more than any trace is deep, and an end to a chain that closes on itself.
const ANCESTORS_MAX: usize = 1_000;

/// What is known of the whole trace.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) root_service: &'a str,
    pub(crate) root_name: &'a str,
    pub(crate) duration: u64,
}

impl<'a> Facts<'a> {
    pub(crate) fn of(summary: &'a Summary) -> Self {
        Self {
            root_service: &summary.root_service,
            root_name: &summary.root_name,
            duration: summary.duration_nanos,
        }
    }
}

/// One value of a field.
#[derive(Debug, Clone, Copy)]
enum Scalar<'a> {
    Text(&'a str),
    Int(i64),
    Float(f64),
    Bool(bool),
    Status(SpanStatus),
    Kind(SpanKind),
}

impl Query {
    /// Whether a trace with this span may be found; without looking at the others.
    pub(crate) fn may_begin_with(&self, span: &SpanRef<'_>) -> bool {
        may_match(&self.spans, span)
    }

    /// Which of a trace's spans are found: their places. None: the trace is not.
    pub(crate) fn matched(&self, spans: &[SpanRef<'_>], facts: &Facts<'_>) -> Option<Vec<usize>> {
        let mut found = spanset(&self.spans, spans, facts);
        for stage in &self.stages {
            match stage {
                Stage::Select(_) => {}
                Stage::Filter(None) => {}
                Stage::Filter(Some(expr)) => {
                    found.retain(|at| holds(expr, &spans[*at], Some(facts)) == Some(true));
                }
                Stage::Aggregate(aggregate, field, op, limit) => {
                    let value = aggregated(*aggregate, field.as_ref(), spans, &found, facts)?;
                    let order = value.partial_cmp(limit)?;
                    op.holds(order).then_some(())?;
                }
            }
        }
        (!found.is_empty()).then(|| found.into_iter().collect())
    }

    /// What the query names: shown beside a span that was found.
    pub(crate) fn named(&self) -> Vec<Field> {
        let mut fields = vec![];
        named_in(&self.spans, &mut fields);
        for stage in &self.stages {
            if let Stage::Select(selected) = stage {
                fields.extend(selected.iter().cloned());
            }
        }
        let mut seen: Vec<Field> = vec![];
        fields.retain(|field| {
            let new = !seen.contains(field);
            if new {
                seen.push(field.clone());
            }
            new
        });
        fields
    }
}

impl Field {
    /// Gives each value of it that a span has, as an attribute's value.
    pub(crate) fn values_of(&self, span: &SpanRef<'_>, each: &mut dyn FnMut(ValueRef<'_>)) {
        visit(self, span, None, &mut |scalar| {
            each(match scalar {
                Scalar::Text(text) => ValueRef::Text(text),
                Scalar::Int(number) => ValueRef::Int(number),
                Scalar::Float(number) => ValueRef::Double(number),
                Scalar::Bool(value) => ValueRef::Bool(value),
                Scalar::Status(status) => ValueRef::Text(status_word(status)),
                Scalar::Kind(kind) => ValueRef::Text(kind_word(kind)),
            });
            false
        });
    }

    /// Whether it is a word of the language: `error`, `server`.
    #[must_use]
    pub fn is_keyword(&self) -> bool {
        matches!(self.0, FieldKind::Status | FieldKind::Kind)
    }

    /// Whether it is a time.
    #[must_use]
    pub fn is_duration(&self) -> bool {
        matches!(self.0, FieldKind::Duration | FieldKind::TraceDuration)
    }
}

pub(crate) fn status_word(status: SpanStatus) -> &'static str {
    match status {
        SpanStatus::Unset => "unset",
        SpanStatus::Ok => "ok",
        SpanStatus::Error => "error",
    }
}

pub(crate) fn kind_word(kind: SpanKind) -> &'static str {
    match kind {
        SpanKind::Unspecified => "unspecified",
        SpanKind::Internal => "internal",
        SpanKind::Server => "server",
        SpanKind::Client => "client",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
    }
}

fn may_match(spans: &Spanset, span: &SpanRef<'_>) -> bool {
    match spans {
        Spanset::Filter(None) => true,
        Spanset::Filter(Some(expr)) => holds(expr, span, None) != Some(false),
        Spanset::Combine(_, a, b) => may_match(a, span) || may_match(b, span),
    }
}

fn named_in(spans: &Spanset, fields: &mut Vec<Field>) {
    match spans {
        Spanset::Filter(None) => {}
        Spanset::Filter(Some(expr)) => named_in_expr(expr, fields),
        Spanset::Combine(_, a, b) => {
            named_in(a, fields);
            named_in(b, fields);
        }
    }
}

fn named_in_expr(expr: &Expr, fields: &mut Vec<Field>) {
    match expr {
        Expr::Is(_) => {}
        Expr::Holds(field) | Expr::Compare(field, ..) | Expr::Match(field, _) => {
            fields.push(field.clone());
        }
        Expr::Fields(a, _, b) => fields.extend([a.clone(), b.clone()]),
        Expr::Not(inner) => named_in_expr(inner, fields),
        Expr::And(a, b) | Expr::Or(a, b) => {
            named_in_expr(a, fields);
            named_in_expr(b, fields);
        }
    }
}

fn spanset(set: &Spanset, spans: &[SpanRef<'_>], facts: &Facts<'_>) -> BTreeSet<usize> {
    match set {
        Spanset::Filter(None) => (0..spans.len()).collect(),
        Spanset::Filter(Some(expr)) => (0..spans.len())
            .filter(|at| holds(expr, &spans[*at], Some(facts)) == Some(true))
            .collect(),
        Spanset::Combine(op, left, right) => {
            let (left, right) = (spanset(left, spans, facts), spanset(right, spans, facts));
            match op {
                SpansetOp::And if left.is_empty() || right.is_empty() => BTreeSet::new(),
                SpansetOp::And | SpansetOp::Or => &left | &right,
                structure => related(*structure, spans, &left, &right),
            }
        }
    }
}

/// Those of `right` that stand in this relation to one of `left`.
fn related(
    op: SpansetOp,
    spans: &[SpanRef<'_>],
    left: &BTreeSet<usize>,
    right: &BTreeSet<usize>,
) -> BTreeSet<usize> {
    let places: BTreeMap<SpanId, usize> =
        (0..).zip(spans).map(|(at, span)| (span.id, at)).collect();
    let parent = |at: usize| {
        let parent = spans[at].parent;
        let known = (parent != SpanId::default()).then(|| places.get(&parent));
        known.flatten().copied().filter(|found| *found != at)
    };
    let ancestors =
        |at: usize| std::iter::successors(parent(at), move |at| parent(*at)).take(ANCESTORS_MAX);
    match op {
        SpansetOp::Child => (right.iter().copied())
            .filter(|at| parent(*at).is_some_and(|parent| left.contains(&parent)))
            .collect(),
        SpansetOp::Descendant => (right.iter().copied())
            .filter(|at| ancestors(*at).any(|above| left.contains(&above)))
            .collect(),
        SpansetOp::Parent => {
            let parents: BTreeSet<usize> = left.iter().filter_map(|at| parent(*at)).collect();
            right & &parents
        }
        SpansetOp::Ancestor => {
            let above: BTreeSet<usize> = left.iter().flat_map(|at| ancestors(*at)).collect();
            right & &above
        }
        SpansetOp::Sibling => {
            let mut families: BTreeMap<SpanId, BTreeSet<usize>> = BTreeMap::new();
            for at in left {
                families.entry(spans[*at].parent).or_default().insert(*at);
            }
            let sibling = |at: &usize| {
                let parent = spans[*at].parent;
                parent != SpanId::default()
                    && families
                        .get(&parent)
                        .is_some_and(|family| family.iter().any(|other| other != at))
            };
            right.iter().copied().filter(sibling).collect()
        }
        SpansetOp::And | SpansetOp::Or => BTreeSet::new(),
    }
}

fn aggregated(
    aggregate: Aggregate,
    field: Option<&Field>,
    spans: &[SpanRef<'_>],
    found: &BTreeSet<usize>,
    facts: &Facts<'_>,
) -> Option<f64> {
    let Some(field) = field else {
        return Some(found.len() as f64);
    };
    let mut values = vec![];
    for at in found {
        visit(field, &spans[*at], Some(facts), &mut |scalar| {
            match scalar {
                Scalar::Int(number) => values.push(number as f64),
                Scalar::Float(number) => values.push(number),
                _ => {}
            }
            true
        });
    }
    let sum: f64 = values.iter().sum();
    match aggregate {
        Aggregate::Count => Some(values.len() as f64),
        Aggregate::Sum => Some(sum),
        Aggregate::Avg => (!values.is_empty()).then(|| sum / values.len() as f64),
        Aggregate::Min => values.into_iter().reduce(f64::min),
        Aggregate::Max => values.into_iter().reduce(f64::max),
    }
}

/// Whether a condition holds for a span; None: that depends on the rest of its trace, which is not known.
fn holds(expr: &Expr, span: &SpanRef<'_>, facts: Option<&Facts<'_>>) -> Option<bool> {
    match expr {
        Expr::Is(value) => Some(*value),
        Expr::Not(inner) => holds(inner, span, facts).map(|value| !value),
        Expr::And(a, b) => match (holds(a, span, facts), || holds(b, span, facts)) {
            (Some(false), _) => Some(false),
            (Some(true), b) => b(),
            (None, b) => b().filter(|value| !value),
        },
        Expr::Or(a, b) => match (holds(a, span, facts), || holds(b, span, facts)) {
            (Some(true), _) => Some(true),
            (Some(false), b) => b(),
            (None, b) => b().filter(|value| *value),
        },
        Expr::Holds(field) => {
            known(field, facts)?;
            let mut value = false;
            visit(field, span, facts, &mut |scalar| {
                value |= matches!(scalar, Scalar::Bool(true));
                value
            });
            Some(value)
        }
        Expr::Compare(field, op, Static::Nil) => {
            known(field, facts)?;
            let mut there = false;
            visit(field, span, facts, &mut |_| {
                there = true;
                true
            });
            Some(match op {
                Op::Equal => !there,
                Op::NotEqual => there,
                _ => false,
            })
        }
        Expr::Compare(field, op, value) => {
            known(field, facts)?;
            Some(compare(field, *op, value, span, facts))
        }
        Expr::Match(field, matcher) => {
            known(field, facts)?;
            let negated = matcher.op == wharf_signal::MatchOp::NotRegex;
            // Of several values one has to match; not to match, all have not to.
            let (mut any, mut all) = (false, true);
            visit(field, span, facts, &mut |scalar| {
                if let Some(text) = word(&scalar) {
                    let matches = matcher.matches(text);
                    any |= matches;
                    all &= matches;
                }
                false
            });
            Some(any && (all || !negated))
        }
        Expr::Fields(a, op, b) => {
            known(a, facts)?;
            known(b, facts)?;
            let mut other = None;
            visit(b, span, facts, &mut |scalar| {
                other = Some(match scalar {
                    Scalar::Text(text) => Static::Text(text.to_owned()),
                    Scalar::Int(number) => Static::Int(number),
                    Scalar::Float(number) => Static::Float(number),
                    Scalar::Bool(value) => Static::Bool(value),
                    Scalar::Status(status) => Static::Status(status),
                    Scalar::Kind(kind) => Static::Kind(kind),
                });
                true
            });
            Some(other.is_some_and(|other| compare(a, *op, &other, span, facts)))
        }
    }
}

/// None: a fact about a trace of which only a part is there.
fn known(field: &Field, facts: Option<&Facts<'_>>) -> Option<()> {
    let of_trace = matches!(
        field.0,
        FieldKind::RootName | FieldKind::RootService | FieldKind::TraceDuration
    );
    (!of_trace || facts.is_some()).then_some(())
}

fn compare(
    field: &Field,
    op: Op,
    value: &Static,
    span: &SpanRef<'_>,
    facts: Option<&Facts<'_>>,
) -> bool {
    let (mut any, mut all) = (false, true);
    visit(field, span, facts, &mut |scalar| {
        if let Some(order) = order(scalar, value, op) {
            let holds = op.holds(order);
            any |= holds;
            all &= holds;
        }
        // `!=` is of all values.
        any && op != Op::NotEqual
    });
    any && (all || op != Op::NotEqual)
}

/// None: they cannot be compared in this way.
fn order(scalar: Scalar<'_>, value: &Static, op: Op) -> Option<Ordering> {
    let equality = |same: bool| {
        let order = if same {
            Ordering::Equal
        } else {
            Ordering::Less
        };
        matches!(op, Op::Equal | Op::NotEqual).then_some(order)
    };
    match (scalar, value) {
        (Scalar::Text(a), Static::Text(b)) => Some(a.cmp(b)),
        (Scalar::Int(a), Static::Int(b) | Static::Duration(b)) => Some(a.cmp(b)),
        (Scalar::Int(a), Static::Float(b)) => (a as f64).partial_cmp(b),
        (Scalar::Float(a), Static::Float(b)) => a.partial_cmp(b),
        (Scalar::Float(a), Static::Int(b) | Static::Duration(b)) => a.partial_cmp(&(*b as f64)),
        (Scalar::Bool(a), Static::Bool(b)) => equality(a == *b),
        (Scalar::Status(a), Static::Status(b)) => equality(a == *b),
        (Scalar::Kind(a), Static::Kind(b)) => equality(a == *b),
        _ => None,
    }
}

fn word<'a>(scalar: &Scalar<'a>) -> Option<&'a str> {
    match scalar {
        Scalar::Text(text) => Some(text),
        Scalar::Status(status) => Some(status_word(*status)),
        Scalar::Kind(kind) => Some(kind_word(*kind)),
        Scalar::Int(_) | Scalar::Float(_) | Scalar::Bool(_) => None,
    }
}

/// Gives every value that a field has in a span, until `each` says that it is enough.
fn visit(
    field: &Field,
    span: &SpanRef<'_>,
    facts: Option<&Facts<'_>>,
    each: &mut dyn FnMut(Scalar<'_>) -> bool,
) {
    let mut items = |value: ValueRef<'_>| {
        for item in value.items() {
            let enough = match item {
                ValueRef::Text(text) => each(Scalar::Text(text)),
                ValueRef::Int(number) => each(Scalar::Int(number)),
                ValueRef::Double(number) => each(Scalar::Float(number)),
                ValueRef::Bool(value) => each(Scalar::Bool(value)),
                ValueRef::Bytes(_) | ValueRef::List(_) | ValueRef::Map(_) => false,
            };
            if enough {
                return;
            }
        }
    };
    let nanos = |duration: u64| i64::try_from(duration).unwrap_or(i64::MAX);
    let text = |text: &str, each: &mut dyn FnMut(Scalar<'_>) -> bool| {
        if !text.is_empty() {
            each(Scalar::Text(text));
        }
    };
    match &field.0 {
        FieldKind::Attribute(scope, name) => {
            let of_span = || span.attributes().get(name);
            let of_resource = || span.resource().get(name);
            let value = match scope {
                Some(Scope::Span) => of_span(),
                Some(Scope::Resource) => of_resource(),
                None => of_span().or_else(of_resource),
            };
            value.into_iter().for_each(&mut items);
        }
        FieldKind::EventAttribute(name) => {
            for (_, _, attributes) in span.events() {
                attributes.get(name).into_iter().for_each(&mut items);
            }
        }
        FieldKind::EventName => {
            for (_, name, _) in span.events() {
                if each(Scalar::Text(name)) {
                    return;
                }
            }
        }
        FieldKind::Name => text(span.name, each),
        FieldKind::Service => text(span.service, each),
        FieldKind::StatusMessage => text(span.message, each),
        FieldKind::Library => text(span.scope, each),
        FieldKind::SpanId => text(&span.id.to_string(), each),
        FieldKind::ParentId => text(&span.parent.to_string(), each),
        FieldKind::TraceId => text(&span.trace.to_string(), each),
        FieldKind::Duration => drop(each(Scalar::Int(nanos(span.duration)))),
        FieldKind::Status => drop(each(Scalar::Status(span.status))),
        FieldKind::Kind => drop(each(Scalar::Kind(span.kind))),
        FieldKind::RootName => text(facts.map_or("", |facts| facts.root_name), each),
        FieldKind::RootService => text(facts.map_or("", |facts| facts.root_service), each),
        FieldKind::TraceDuration => {
            if let Some(facts) = facts {
                each(Scalar::Int(nanos(facts.duration)));
            }
        }
    }
}
