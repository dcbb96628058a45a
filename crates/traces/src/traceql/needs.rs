//! What a page has to have for a query to find anything in it.

use std::collections::BTreeSet;

use wharf_signal::SpanStatus;

use super::{Expr, Field, FieldKind, Op, Query, Spanset, Static};
use crate::block::{Index, OTHERS, PageInfo};

/// What a span that is looked for has for certain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Needs {
    /// None: any service.
    services: Option<BTreeSet<String>>,
    min_duration: u64,
    error: bool,
}

impl Query {
    /// What each span has that one of the query's spansets finds.
    pub(crate) fn needs(&self) -> Needs {
        of_spanset(&self.spans)
    }
}

impl Needs {
    /// Both hold.
    fn and(self, other: Self) -> Self {
        Self {
            services: match (self.services, other.services) {
                (Some(a), Some(b)) => Some(&a & &b),
                (a, b) => a.or(b),
            },
            min_duration: self.min_duration.max(other.min_duration),
            error: self.error || other.error,
        }
    }

    /// One of them holds.
    fn or(self, other: Self) -> Self {
        Self {
            services: match (self.services, other.services) {
                (Some(a), Some(b)) => Some(&a | &b),
                _ => None,
            },
            min_duration: self.min_duration.min(other.min_duration),
            error: self.error && other.error,
        }
    }

    /// The places that the wanted services have in a block; None: any.
    pub(crate) fn places(&self, index: &Index) -> Option<BTreeSet<u32>> {
        let services = self.services.as_ref()?;
        let named = (0..).zip(index.services.keys());
        let places = named.filter_map(|(place, name)| services.contains(name).then_some(place));
        Some(places.chain([OTHERS]).collect())
    }

    /// Whether a page may have such a span.
    pub(crate) fn allow(&self, page: &PageInfo, places: Option<&BTreeSet<u32>>) -> bool {
        page.stats.max_duration >= self.min_duration
            && (page.stats.errors || !self.error)
            && places.is_none_or(|places| !places.is_disjoint(&page.services))
    }
}

fn of_spanset(spans: &Spanset) -> Needs {
    match spans {
        Spanset::Filter(None) => Needs::default(),
        Spanset::Filter(Some(expr)) => of_expr(expr),
        // Whatever stands between them: a trace is looked at if it has a span of either.
        Spanset::Combine(_, a, b) => of_spanset(a).or(of_spanset(b)),
    }
}

fn of_expr(expr: &Expr) -> Needs {
    match expr {
        Expr::And(a, b) => of_expr(a).and(of_expr(b)),
        Expr::Or(a, b) => of_expr(a).or(of_expr(b)),
        Expr::Compare(Field(FieldKind::Service), Op::Equal, Static::Text(service)) => Needs {
            services: Some(BTreeSet::from([service.clone()])),
            ..Needs::default()
        },
        Expr::Match(Field(FieldKind::Service), matcher) => Needs {
            services: matcher
                .values()
                .map(|values| values.into_iter().map(str::to_owned).collect()),
            ..Needs::default()
        },
        Expr::Compare(
            Field(FieldKind::Duration),
            Op::Greater | Op::GreaterEqual | Op::Equal,
            Static::Duration(nanos) | Static::Int(nanos),
        ) => Needs {
            min_duration: u64::try_from(*nanos).unwrap_or(0),
            ..Needs::default()
        },
        Expr::Compare(Field(FieldKind::Status), Op::Equal, Static::Status(SpanStatus::Error)) => {
            Needs {
                error: true,
                ..Needs::default()
            }
        }
        Expr::Is(_)
        | Expr::Holds(_)
        | Expr::Compare(..)
        | Expr::Match(..)
        | Expr::Fields(..)
        | Expr::Not(_) => Needs::default(),
    }
}
