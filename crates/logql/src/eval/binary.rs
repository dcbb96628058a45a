//! Operators between two sides.

use std::collections::{HashMap, HashSet};

use wharf_signal::Labels;

use super::EvalError;
use super::grid::{Grid, Index};
use crate::ast::{BinaryExpr, BinaryOp, Cardinality, Matching};

/// Two numbers; a comparison gives 1 or 0.
pub(crate) fn arithmetic(op: BinaryOp, a: f64, b: f64) -> f64 {
    match op {
        BinaryOp::Add => a + b,
        BinaryOp::Sub => a - b,
        BinaryOp::Mul => a * b,
        BinaryOp::Div | BinaryOp::Mod if b == 0.0 => f64::NAN,
        BinaryOp::Div => a / b,
        BinaryOp::Mod => a % b,
        BinaryOp::Pow => a.powf(b),
        BinaryOp::Compare(op) => f64::from(u8::from(op.holds(&a, &b))),
        // Never between numbers: the parser refuses it.
        BinaryOp::Or | BinaryOp::And | BinaryOp::Unless => f64::NAN,
    }
}

/// A vector and a number; `left`: the number stands on the left.
pub(super) fn with_number(binary: &BinaryExpr, mut grid: Grid, number: f64, left: bool) -> Grid {
    for step in &mut grid.steps {
        step.retain_mut(|(_, v)| {
            let (a, b) = if left { (number, *v) } else { (*v, number) };
            let result = arithmetic(binary.op, a, b);
            match binary.op {
                // The value stays, or goes.
                BinaryOp::Compare(_) if !binary.bool => return result == 1.0,
                _ => *v = result,
            }
            true
        });
    }
    grid
}

impl Matching {
    /// What two series have in common that belong together.
    fn key(&self, labels: &Labels) -> Labels {
        let named = |name: &str| self.labels.iter().any(|label| label == name);
        if self.on {
            labels.only(named)
        } else {
            labels.without(named)
        }
    }

    /// The labels of what comes out of two series; `many` is the side with several.
    fn result(&self, many: &Labels, one: &Labels) -> Labels {
        if self.card == Cardinality::OneToOne {
            return self.key(many);
        }
        let mut edit = many.edit();
        for name in &self.include {
            edit.set(name, one.value(name));
        }
        edit.build()
    }
}

/// Two vectors.
pub(super) fn vectors(binary: &BinaryExpr, left: Grid, right: Grid) -> Result<Grid, EvalError> {
    if binary.op.is_set() {
        return set(binary, left, right);
    }
    // The side with several is on the left from here on.
    let swapped = binary.matching.card == Cardinality::OneToMany;
    let (many, one) = if swapped {
        (right, left)
    } else {
        (left, right)
    };
    let keys = Keys::new(&binary.matching, [&many, &one])?;
    let mut results = Index::default();
    let mut pairs: HashMap<(u32, u32), u32> = HashMap::new();
    let mut out = Grid::new(many.steps.len());
    for (step, (left, right)) in many.steps.iter().zip(&one.steps).enumerate() {
        let mut by_key: HashMap<u32, (u32, f64)> = HashMap::new();
        for (series, v) in right {
            let before = by_key.insert(keys.of(1, *series), (*series, *v));
            if before.is_some() {
                let side = if swapped { "left" } else { "right" };
                return Err(EvalError::Pipeline(format!(
                    "found duplicate series on the {side} hand-side;many-to-many matching not allowed: matching labels must be unique on one side"
                )));
            }
        }
        let mut matched: HashSet<(u32, u32)> = HashSet::new();
        for (series, v) in left {
            let key = keys.of(0, *series);
            let Some((other, w)) = by_key.get(&key) else {
                continue;
            };
            let result = match pairs.get(&(*series, *other)) {
                Some(result) => *result,
                None => {
                    let (many, one) =
                        (&many.series[*series as usize], &one.series[*other as usize]);
                    let result = results.of(binary.matching.result(many, one), usize::MAX)?;
                    pairs.insert((*series, *other), result);
                    result
                }
            };
            let one_to_one = binary.matching.card == Cardinality::OneToOne;
            if !matched.insert((key, if one_to_one { 0 } else { result })) {
                return Err(EvalError::Pipeline(format!(
                    "multiple matches for labels: {}",
                    if one_to_one {
                        "many-to-one matching must be explicit (group_left/group_right)"
                    } else {
                        "grouping labels must ensure unique matches"
                    }
                )));
            }
            let (a, b) = if swapped { (*w, *v) } else { (*v, *w) };
            let value = arithmetic(binary.op, a, b);
            match binary.op {
                BinaryOp::Compare(_) if !binary.bool => {
                    if value == 1.0 {
                        out.steps[step].push((result, a));
                    }
                }
                _ => out.steps[step].push((result, value)),
            }
        }
    }
    out.series = results.series;
    Ok(out)
}

/// `and`, `or`, `unless`.
fn set(binary: &BinaryExpr, left: Grid, right: Grid) -> Result<Grid, EvalError> {
    let keys = Keys::new(&binary.matching, [&left, &right])?;
    let shift = u32::try_from(left.series.len()).unwrap_or(u32::MAX);
    let mut out = Grid {
        series: left.series,
        steps: left.steps,
    };
    for (step, right) in out.steps.iter_mut().zip(&right.steps) {
        if binary.op == BinaryOp::Or {
            let known: HashSet<u32> = step.iter().map(|(series, _)| keys.of(0, *series)).collect();
            for (series, v) in right {
                if !known.contains(&keys.of(1, *series)) {
                    step.push((series.saturating_add(shift), *v));
                }
            }
            continue;
        }
        let known: HashSet<u32> = right
            .iter()
            .map(|(series, _)| keys.of(1, *series))
            .collect();
        let wanted = binary.op == BinaryOp::And;
        step.retain(|(series, _)| known.contains(&keys.of(0, *series)) == wanted);
    }
    out.series.extend(right.series);
    Ok(out)
}

/// What each series of two sides is matched by, as numbers.
struct Keys([Vec<u32>; 2]);

impl Keys {
    fn new(matching: &Matching, sides: [&Grid; 2]) -> Result<Self, EvalError> {
        let mut index = Index::default();
        let mut of = |grid: &Grid| -> Result<Vec<u32>, EvalError> {
            let keys = grid.series.iter().map(|labels| matching.key(labels));
            keys.map(|key| index.of(key, usize::MAX)).collect()
        };
        Ok(Self([of(sides[0])?, of(sides[1])?]))
    }

    fn of(&self, side: usize, series: u32) -> u32 {
        self.0[side][series as usize]
    }
}
