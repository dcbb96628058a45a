//! Which labels the numbers have that lines become.

use wharf_signal::Labels;

use super::EvalError;
use super::grid::Index;
use crate::ast::{Grouping, RangeAggregation, RangeOp};
use crate::fields::Fields;

/// Which labels are left, and the series that the last line had.
pub(super) struct Shape {
    left: Left,
    /// Tells apart what is left of a line. Written for each line; only where it is a new one, labels are made.
    key: Vec<u8>,
    /// The key of the last line, and its series.
    last: Option<(Vec<u8>, u32)>,
}

enum Left {
    All,
    None,
    By(Vec<String>),
    Without(Vec<String>),
}

/// Between values in a key: no byte of a text.
const BETWEEN: u8 = 0xff;

impl Shape {
    /// `outer`: the labels that are left anyway, if that makes no difference to the value.
    pub(super) fn of(range: &RangeAggregation, outer: Option<&Grouping>) -> Self {
        Self {
            left: Left::of(range, outer),
            key: Vec::new(),
            last: None,
        }
    }

    /// The labels that have to be found; none: all.
    pub(super) fn need(&self) -> Option<Vec<String>> {
        match &self.left {
            Left::None => Some(Vec::new()),
            Left::By(labels) => Some(labels.clone()),
            Left::All | Left::Without(_) => None,
        }
    }

    /// The series that a line is of.
    ///
    /// # Errors
    /// There are more than `most`.
    pub(super) fn series(
        &mut self,
        fields: &Fields,
        index: &mut Index,
        most: usize,
    ) -> Result<u32, EvalError> {
        let Self { left, key, last } = self;
        key.clear();
        match left {
            Left::None => {}
            Left::By(kept) => {
                for name in kept.iter() {
                    let value = fields.get(name).unwrap_or_default();
                    key.extend_from_slice(value.as_bytes());
                    key.push(BETWEEN);
                }
            }
            Left::All | Left::Without(_) if fields.is_unchanged() => {
                key.extend_from_slice(fields.base().as_bytes());
            }
            Left::All | Left::Without(_) => return index.of(left.labels(fields), most),
        }
        if let Some((of, series)) = last
            && of == key
        {
            return Ok(*series);
        }
        let series = index.under(key, || left.labels(fields), most)?;
        let mut held = last.take().map_or(Vec::new(), |(key, _)| key);
        held.clone_from(key);
        *last = Some((held, series));
        Ok(series)
    }
}

impl Left {
    fn of(range: &RangeAggregation, outer: Option<&Grouping>) -> Self {
        let unwrapped = range
            .range
            .unwrap
            .as_ref()
            .map(|unwrap| unwrap.label.clone());
        if range.op == RangeOp::Absent {
            return Self::None;
        }
        match range.grouping.as_ref().or(outer) {
            Some(grouping) if grouping.is_single() => Self::None,
            Some(grouping) if !grouping.without => Self::By(grouping.labels.clone()),
            grouping => {
                let mut gone = grouping.map_or(Vec::new(), |grouping| grouping.labels.clone());
                gone.extend(unwrapped);
                if gone.is_empty() {
                    Self::All
                } else {
                    Self::Without(gone)
                }
            }
        }
    }

    fn labels(&self, fields: &Fields) -> Labels {
        match self {
            Self::None => Labels::empty(),
            Self::All => fields.all(),
            Self::Without(gone) => fields.all().without(|name| gone.iter().any(|g| g == name)),
            Self::By(kept) => {
                let mut pairs: Vec<_> = kept
                    .iter()
                    .filter_map(|name| Some((name.as_str(), fields.get(name)?)))
                    .filter(|(_, value)| !value.is_empty())
                    .collect();
                pairs.sort_unstable();
                pairs.dedup();
                Labels::from_sorted(pairs)
            }
        }
    }
}
