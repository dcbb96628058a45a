//! Runs scripts, and accounts for every eval.

use wharf_signal::{Labels, Sample, Series};

use super::check;
use super::script::{Command, Eval, Expected, Load, Script, When};
use super::series::Point;
use super::variants;
use crate::{Evaluated, Expr, ParseOptions};

/// Takes samples and answers queries.
pub trait Target {
    /// Adds samples.
    ///
    /// # Errors
    /// It cannot: why.
    fn load(&mut self, series: &[Series]) -> Result<(), String>;

    /// Forgets all samples.
    ///
    /// # Errors
    /// It cannot: why.
    fn clear(&mut self) -> Result<(), String>;

    /// Answers at one time, in milliseconds.
    ///
    /// # Errors
    /// The query has no answer: the message.
    fn instant(&mut self, query: &str, at: i64) -> Result<Evaluated, String>;

    /// Answers from `start` to `end` every `step`, in milliseconds.
    ///
    /// # Errors
    /// The query has no answer: the message.
    fn range(&mut self, query: &str, start: i64, end: i64, step: i64) -> Result<Evaluated, String>;
}

/// What a target has.
#[derive(Debug, Clone, Copy, Default)]
pub struct Features {
    /// What of the language.
    pub language: ParseOptions,
    /// Whether each instant query is asked again with `@` in every selector, at other times: six times the work.
    pub at_variants: bool,
}

/// Why an eval is not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// It has to do with native histograms.
    NativeHistogram,
    /// It uses something that Prometheus has only behind a flag.
    Experimental,
    /// It has to do with the times at which samples began: behind a flag too.
    StartTime,
}

impl Class {
    /// Its name in lists.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NativeHistogram => "native-histogram",
            Self::Experimental => "experimental",
            Self::StartTime => "start-time",
        }
    }
}

/// How an eval ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// As expected.
    Passed,
    /// Otherwise: how.
    Failed(String),
    /// It was not run.
    Excluded(Class),
}

/// An eval that was accounted for.
#[derive(Debug, Clone)]
pub struct Ran {
    /// Its line in the script, from 1.
    pub line: usize,
    /// The question.
    pub query: String,
    /// How it ended.
    pub outcome: Outcome,
}

/// Runs a script against a target that has no samples.
///
/// # Errors
/// Samples could not be loaded or forgotten.
pub fn run(
    script: &Script,
    target: &mut dyn Target,
    features: Features,
) -> Result<Vec<Ran>, String> {
    let mut ran = Vec::new();
    let mut unloaded = Unloaded::default();
    for command in &script.commands {
        match command {
            Command::Clear => {
                target.clear()?;
                unloaded = Unloaded::default();
            }
            Command::Load(load) => target.load(&unloaded.loadable(load))?,
            Command::Eval(eval) => {
                let outcome = match needed(eval, features.language) {
                    Some(class) => Outcome::Excluded(class),
                    None => match (run_eval(eval, target, features), unloaded.class(eval)) {
                        (Ok(()), _) => Outcome::Passed,
                        (Err(_), Some(class)) => Outcome::Excluded(class),
                        (Err(why), None) => Outcome::Failed(why),
                    },
                };
                let query = eval.query.clone();
                ran.push(Ran {
                    line: eval.line,
                    query,
                    outcome,
                });
            }
        }
    }
    Ok(ran)
}

/// Series that are not as the script has them.
#[derive(Default)]
struct Unloaded {
    histograms: Vec<Labels>,
    start_times: bool,
}

impl Unloaded {
    /// The part of a load that is numbers.
    fn loadable(&mut self, load: &Load) -> Vec<Series> {
        self.start_times |= load.with_start_times;
        let mut loadable = Vec::new();
        for (labels, points) in &load.series {
            let has_histogram = points.contains(&Point::Histogram);
            let base = ["_bucket", "_count", "_sum"]
                .iter()
                .find_map(|end| labels.name().strip_suffix(end));
            match base {
                Some(base) if load.with_native => {
                    let mut native = labels.without(|name| name == "le").edit();
                    native.set(wharf_signal::NAME, base);
                    self.histograms.push(native.build());
                }
                _ if has_histogram => self.histograms.push(labels.clone()),
                _ => {}
            }
            let mut samples = Vec::new();
            let mut t = 0i64;
            for point in points {
                if let Point::Value(v) = point {
                    samples.push(Sample { t, v: *v });
                }
                t = t.saturating_add(load.step);
            }
            if !samples.is_empty() && !has_histogram {
                let labels = labels.clone();
                loadable.push(Series { labels, samples });
            }
        }
        loadable
    }

    /// The class by which an eval is excluded if it fails: what it selects is not all there.
    fn class(&self, eval: &Eval) -> Option<Class> {
        if self.start_times {
            return Some(Class::StartTime);
        }
        let language = ParseOptions {
            experimental_functions: true,
        };
        let expr = crate::parse_with(&eval.query, language).ok()?;
        let selects = |labels: &Labels| {
            let mut selectors = expr.selectors().into_iter();
            selectors.any(|s| s.matchers.iter().all(|m| m.matches_labels(labels)))
        };
        let selects_histogram = self.histograms.iter().any(selects);
        selects_histogram.then_some(Class::NativeHistogram)
    }
}

/// The class by which an eval is excluded whatever its answer would be.
fn needed(eval: &Eval, language: ParseOptions) -> Option<Class> {
    if let Expected::Series(series) = &eval.expect.value
        && series
            .iter()
            .any(|(_, points)| points.contains(&Point::Histogram))
    {
        return Some(Class::NativeHistogram);
    }
    let message = crate::parse_with(&eval.query, language).err()?.message;
    let is_behind_flag = message.contains("experimental") || message.contains("is not enabled");
    is_behind_flag.then_some(Class::Experimental)
}

fn run_eval(eval: &Eval, target: &mut dyn Target, features: Features) -> Result<(), String> {
    let at = match eval.when {
        When::Range { start, end, step } => {
            let answer = target.range(&eval.query, start, end, step);
            return check::answer(eval, answer).map(|_| ());
        }
        When::Instant(at) => at,
    };
    run_instant(eval, &eval.query, at, target)?;
    if features.at_variants
        && let Ok(expr) = crate::parse_with(&eval.query, features.language)
        && let Some(fixed) = variants::with_moments(&expr, at)
    {
        for other in variants::other_times(at) {
            run_instant(eval, &fixed, other, target)
                .map_err(|why| format!("as {fixed} at {other}: {why}"))?;
        }
    }
    Ok(())
}

/// Asks at one time, and within a range of three steps.
fn run_instant(eval: &Eval, query: &str, at: i64, target: &mut dyn Target) -> Result<(), String> {
    const MINUTE: i64 = 60_000;
    let answer = target.instant(query, at);
    let Some(answer) = check::answer(eval, answer)? else {
        return Ok(());
    };
    let is_whole_answer =
        eval.expect.times.is_some() || matches!(eval.expect.value, Expected::String(_));
    let of_query = crate::parse_with(
        query,
        ParseOptions {
            experimental_functions: true,
        },
    );
    if is_whole_answer || of_query.is_ok_and(|expr| depends_on_range(&expr)) {
        return Ok(());
    }
    let range = target.range(query, at - MINUTE, at + MINUTE, MINUTE);
    let range = range.map_err(|why| format!("as a range: {why}"))?;
    if eval.expect.ordered {
        return Ok(());
    }
    check::middle(eval, &answer, range, at).map_err(|why| format!("as a range: {why}"))
}

/// Whether an expression asks for the query's own range.
fn depends_on_range(expr: &Expr) -> bool {
    use crate::ast::{AtTime, Shift};
    let asks = |shift: &Shift| matches!(shift.moment, Some(AtTime::Start | AtTime::End));
    let here = match expr {
        Expr::Call(call) => matches!(call.function.name, "start" | "end" | "range" | "step"),
        Expr::Selector(selector) => asks(&selector.shift),
        Expr::Range(range) => asks(&range.selector.shift),
        Expr::Subquery(subquery) => asks(&subquery.shift),
        _ => false,
    };
    here || expr.children().into_iter().any(depends_on_range)
}
