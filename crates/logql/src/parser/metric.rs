//! Aggregations and what is between them.

use super::{ParseError, Parser};
use crate::ast::{
    BinaryExpr, BinaryOp, Cardinality, CompareOp, Conversion, Expr, Grouping, LabelReplace,
    LogExpr, LogRange, Matching, MetricExpr, RangeAggregation, RangeOp, Unwrap, VectorAggregation,
    VectorOp,
};
use crate::eval::arithmetic;
use crate::lexer::Token;
use crate::text::{format_number, parse_float};

impl Parser {
    /// An expression whose operators bind at least as close as `least`.
    pub(super) fn expr(&mut self, least: u8) -> Result<Expr, ParseError> {
        self.enter()?;
        let mut left = self.primary()?;
        let mut entered = 1;
        while let Some((op, precedence)) = self.binary_op() {
            if precedence < least {
                break;
            }
            self.skip();
            // Each operator makes the tree one deeper, although nothing recurses here.
            entered += 1;
            self.enter()?;
            let (bool, matching) = self.modifiers()?;
            // Only `^` binds to the right.
            let above = precedence + u8::from(op != BinaryOp::Pow);
            let right = self.expr(above)?;
            left = Expr::Metric(binary(op, bool, matching, left, right)?);
        }
        for _ in 0..entered {
            self.leave();
        }
        Ok(left)
    }

    fn binary_op(&self) -> Option<(BinaryOp, u8)> {
        let compare = |op| Some((BinaryOp::Compare(op), 3));
        match self.peek() {
            Token::Word("or") => Some((BinaryOp::Or, 1)),
            Token::Word("and") => Some((BinaryOp::And, 2)),
            Token::Word("unless") => Some((BinaryOp::Unless, 2)),
            Token::Symbol("==") => compare(CompareOp::Equal),
            Token::Symbol("!=") => compare(CompareOp::NotEqual),
            Token::Symbol(">") => compare(CompareOp::Greater),
            Token::Symbol(">=") => compare(CompareOp::GreaterEqual),
            Token::Symbol("<") => compare(CompareOp::Less),
            Token::Symbol("<=") => compare(CompareOp::LessEqual),
            Token::Symbol("+") => Some((BinaryOp::Add, 4)),
            Token::Symbol("-") => Some((BinaryOp::Sub, 4)),
            Token::Symbol("*") => Some((BinaryOp::Mul, 5)),
            Token::Symbol("/") => Some((BinaryOp::Div, 5)),
            Token::Symbol("%") => Some((BinaryOp::Mod, 5)),
            Token::Symbol("^") => Some((BinaryOp::Pow, 6)),
            _ => None,
        }
    }

    /// `bool on (a) group_left (b)`
    fn modifiers(&mut self) -> Result<(bool, Matching), ParseError> {
        let bool = self.eat_word("bool");
        let mut matching = Matching::default();
        if self.eat_word("on") {
            matching.on = true;
        } else if !self.eat_word("ignoring") {
            return Ok((bool, matching));
        }
        matching.labels = self.names()?;
        if self.eat_word("group_left") {
            matching.card = Cardinality::ManyToOne;
        } else if self.eat_word("group_right") {
            matching.card = Cardinality::OneToMany;
        } else {
            return Ok((bool, matching));
        }
        // A parenthesis may also begin the right side.
        let is_list = self.is_symbol("(")
            && match self.peek_at(1) {
                Token::Symbol(")") => true,
                Token::Name(_) => matches!(self.peek_at(2), Token::Symbol("," | ")")),
                _ => false,
            };
        if is_list {
            matching.include = self.names()?;
        }
        Ok((bool, matching))
    }

    fn primary(&mut self) -> Result<Expr, ParseError> {
        match *self.peek() {
            Token::Symbol("{") => Ok(Expr::Log(self.log()?)),
            Token::Symbol("(") => {
                self.skip();
                let inner = self.expr(0)?;
                self.expect(")")?;
                Ok(inner)
            }
            Token::Number(_) | Token::Symbol("+" | "-") => {
                Ok(Expr::Metric(MetricExpr::Literal(self.signed_number()?)))
            }
            Token::Function(function) => Ok(Expr::Metric(self.function(function)?)),
            Token::Word("variants") => {
                Err(self.error("multi variant queries are disabled for this instance"))
            }
            _ => Err(self.unexpected("a selector, a function or NUMBER")),
        }
    }

    /// A number as it is written.
    pub(super) fn number(&mut self) -> Result<String, ParseError> {
        match self.peek() {
            Token::Number(text) => {
                let text = text.clone();
                self.skip();
                Ok(text)
            }
            _ => Err(self.unexpected("NUMBER")),
        }
    }

    fn metric(&mut self) -> Result<MetricExpr, ParseError> {
        match self.expr(0)? {
            Expr::Metric(metric) => Ok(metric),
            Expr::Log(_) => Err(self.unexpected("RANGE")),
        }
    }

    fn function(&mut self, function: &'static str) -> Result<MetricExpr, ParseError> {
        if let Some((_, op)) = RangeOp::ALL.iter().find(|(word, _)| *word == function) {
            self.skip();
            return Ok(MetricExpr::Range(self.range_aggregation(*op)?));
        }
        if let Some((_, op)) = VectorOp::ALL.iter().find(|(word, _)| *word == function) {
            self.skip();
            return Ok(MetricExpr::Vector(self.vector_aggregation(*op)?));
        }
        match function {
            "vector" => {
                self.skip();
                self.expect("(")?;
                let value = parse_float(&self.number()?).map_err(ParseError::whole)?;
                self.expect(")")?;
                Ok(MetricExpr::VectorLiteral(value))
            }
            "label_replace" => {
                self.skip();
                self.expect("(")?;
                let of = self.metric()?;
                let mut argument = || {
                    self.expect(",")?;
                    self.text()
                };
                let replace = LabelReplace {
                    of,
                    to: argument()?,
                    replacement: argument()?,
                    from: argument()?,
                    regex: argument()?,
                };
                self.expect(")")?;
                Ok(MetricExpr::LabelReplace(Box::new(replace)))
            }
            _ => Err(self.unexpected("a selector, a function or NUMBER")),
        }
    }

    fn range_aggregation(&mut self, op: RangeOp) -> Result<RangeAggregation, ParseError> {
        self.expect("(")?;
        let parameter = self.parameter()?;
        let range = self.log_range()?;
        self.expect(")")?;
        let grouping = self.grouping()?;
        let name = op.as_str();
        let parameter = match (parameter, op) {
            (Some(text), RangeOp::Quantile) => {
                let value = parse_float(&text).map_err(|error| {
                    ParseError::whole(format!("invalid parameter for operation {name}: {error}"))
                })?;
                Some(value)
            }
            (Some(text), _) => {
                let message = format!("parameter {text} not supported for operation {name}");
                return Err(ParseError::whole(message));
            }
            (None, RangeOp::Quantile) => {
                let message = format!("parameter required for operation {name}");
                return Err(ParseError::whole(message));
            }
            (None, _) => None,
        };
        Ok(RangeAggregation {
            op,
            parameter,
            range,
            grouping,
        })
    }

    /// `5,`
    fn parameter(&mut self) -> Result<Option<String>, ParseError> {
        if !matches!(self.peek(), Token::Number(_)) || *self.peek_at(1) != Token::Symbol(",") {
            return Ok(None);
        }
        let number = self.number()?;
        self.skip();
        Ok(Some(number))
    }

    fn grouping(&mut self) -> Result<Option<Grouping>, ParseError> {
        let without = self.is_word("without");
        if !without && !self.is_word("by") {
            return Ok(None);
        }
        self.skip();
        let labels = self.names()?;
        Ok(Some(Grouping { without, labels }))
    }

    fn vector_aggregation(&mut self, op: VectorOp) -> Result<VectorAggregation, ParseError> {
        let before = self.grouping()?;
        self.expect("(")?;
        let parameter = self.parameter()?;
        let of = self.metric()?;
        self.expect(")")?;
        let grouping = match before {
            Some(grouping) => Some(grouping),
            None => self.grouping()?,
        };
        let name = op.as_str();
        let refused = |message: String| Err(ParseError::whole(message));
        let parameter = match (parameter, op.has_parameter()) {
            (Some(text), true) => match text.parse::<i64>() {
                Ok(count) if count > 0 => usize::try_from(count).unwrap_or(usize::MAX),
                Ok(_) => {
                    let cause = "invalid parameter (must be greater than 0)";
                    return refused(format!("{cause} {name}({text}"));
                }
                Err(_) => return refused(format!("invalid parameter {name}({text},")),
            },
            (None, true) => return refused(format!("parameter required for operation {name}")),
            (Some(text), false) => {
                return refused(format!(
                    "unsupported parameter for operation {name}({text},"
                ));
            }
            (None, false) => 0,
        };
        if op == VectorOp::ApproxTopK && grouping.is_some() {
            return refused(format!("grouping not allowed for {name} aggregation"));
        }
        Ok(VectorAggregation {
            op,
            parameter,
            grouping: grouping.unwrap_or_default(),
            of: Box::new(of),
        })
    }

    /// Lines and how long back: the range may stand behind the selector, the pipeline or a parenthesis around both.
    fn log_range(&mut self) -> Result<LogRange, ParseError> {
        self.enter()?;
        let range = if self.eat("(") {
            let inner = if self.is_symbol("(") {
                Inner::Range(self.log_range()?)
            } else {
                self.inner_range()?
            };
            self.expect(")")?;
            match inner {
                Inner::Range(range) => range,
                Inner::Open(log, unwrap) => self.close_range(log, unwrap)?,
            }
        } else {
            match self.inner_range()? {
                Inner::Range(range) => range,
                Inner::Open(..) => return Err(self.unexpected("RANGE")),
            }
        };
        self.leave();
        Ok(range)
    }

    fn inner_range(&mut self) -> Result<Inner, ParseError> {
        let log = self.log()?;
        let unwrap = self.unwrap()?;
        if matches!(self.peek(), Token::Range(_)) {
            return Ok(Inner::Range(self.close_range(log, unwrap)?));
        }
        Ok(Inner::Open(log, unwrap))
    }

    /// `[5m] offset 1h`, and a pipeline if there was none before.
    fn close_range(
        &mut self,
        mut log: LogExpr,
        mut unwrap: Option<Unwrap>,
    ) -> Result<LogRange, ParseError> {
        let Token::Range(range) = *self.peek() else {
            return Err(self.unexpected("RANGE"));
        };
        self.skip();
        let mut offset = 0;
        if self.eat_word("offset") {
            let Token::Duration(duration) = *self.peek() else {
                return Err(self.unexpected("DURATION"));
            };
            offset = duration;
            self.skip();
        }
        if log.stages.is_empty() && unwrap.is_none() {
            log.stages = self.stages()?;
            unwrap = self.unwrap()?;
        }
        Ok(LogRange {
            log,
            unwrap,
            range,
            offset,
        })
    }

    /// `| unwrap duration(a) | b="c"`
    fn unwrap(&mut self) -> Result<Option<Unwrap>, ParseError> {
        if !self.is_symbol("|") || *self.peek_at(1) != Token::Word("unwrap") {
            return Ok(None);
        }
        self.skip();
        self.skip();
        let conversion = match self.peek() {
            Token::Function("bytes") => Conversion::Bytes,
            Token::Function("duration") => Conversion::Duration,
            Token::Function("duration_seconds") => Conversion::DurationSeconds,
            _ => Conversion::Float,
        };
        let label = if conversion == Conversion::Float {
            self.name()?
        } else {
            self.skip();
            self.expect("(")?;
            let label = self.name()?;
            self.expect(")")?;
            label
        };
        let mut filters = Vec::new();
        while self.eat("|") {
            filters.push(self.label_filter()?);
        }
        Ok(Some(Unwrap {
            label,
            conversion,
            filters,
        }))
    }
}

/// What stands in a parenthesis of a range.
enum Inner {
    Range(LogRange),
    /// The range follows the parenthesis.
    Open(LogExpr, Option<Unwrap>),
}

fn binary(
    op: BinaryOp,
    bool: bool,
    matching: Matching,
    left: Expr,
    right: Expr,
) -> Result<MetricExpr, ParseError> {
    let word = op.as_str();
    let metric = |expr: Expr, side: &str| match expr {
        Expr::Metric(metric) => Ok(metric),
        Expr::Log(_) => Err(ParseError::whole(format!(
            "unexpected type for {side} leg of binary operation ({word}): a log query"
        ))),
    };
    let left = metric(left, "left")?;
    let right = metric(right, "right")?;
    if op.is_set() {
        for (expr, side) in [(&left, "left"), (&right, "right")] {
            if let MetricExpr::Literal(value) = expr {
                return Err(ParseError::whole(format!(
                    "unexpected literal for {side} leg of logical/set binary operation ({word}): {}",
                    format_number(*value)
                )));
            }
        }
    }
    // Two numbers are one.
    if let (MetricExpr::Literal(left), MetricExpr::Literal(right)) = (&left, &right) {
        return Ok(MetricExpr::Literal(arithmetic(op, *left, *right)));
    }
    Ok(MetricExpr::Binary(Box::new(BinaryExpr {
        op,
        bool,
        matching,
        left,
        right,
    })))
}
