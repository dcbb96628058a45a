//! Selectors and pipelines.

use wharf_signal::{MatchOp, Matcher};

use super::{MAX_DEPTH, ParseError, Parser};
use crate::ast::{
    CompareOp, Extraction, LabelFilter, LabelFormat, LabelPick, LineFilter, LineMatch, LineOp,
    LogExpr, Logfmt, Stage,
};
use crate::lexer::Token;
use crate::text::parse_float;

impl Parser {
    /// `{a="b", c=~"d"}`
    pub(super) fn selector(&mut self) -> Result<Vec<Matcher>, ParseError> {
        self.expect("{")?;
        let mut matchers = Vec::new();
        if self.eat("}") {
            return Ok(matchers);
        }
        loop {
            let name = self.name()?;
            let Some(op) = self.match_op() else {
                return Err(self.unexpected("=, !=, =~ or !~"));
            };
            let value = self.text()?;
            matchers.push(matcher(name, op, value)?);
            if !self.eat(",") {
                break;
            }
        }
        self.expect("}")?;
        Ok(matchers)
    }

    fn match_op(&mut self) -> Option<MatchOp> {
        let op = match self.peek() {
            Token::Symbol("=") => MatchOp::Equal,
            Token::Symbol("!=") => MatchOp::NotEqual,
            Token::Symbol("=~") => MatchOp::Regex,
            Token::Symbol("!~") => MatchOp::NotRegex,
            _ => return None,
        };
        self.skip();
        Some(op)
    }

    /// A selector with its pipeline, up to `| unwrap`, which is a metric's.
    pub(super) fn log(&mut self) -> Result<LogExpr, ParseError> {
        let matchers = self.selector()?;
        let stages = self.stages()?;
        Ok(LogExpr { matchers, stages })
    }

    /// All stages from here on; there may be none.
    pub(super) fn stages(&mut self) -> Result<Vec<Stage>, ParseError> {
        let mut stages = Vec::new();
        loop {
            if let Some(op) = self.line_op() {
                self.line_filter(op, &mut stages)?;
            } else if self.is_symbol("|") && *self.peek_at(1) != Token::Word("unwrap") {
                self.skip();
                stages.push(self.stage()?);
            } else {
                return Ok(stages);
            }
        }
    }

    fn line_op(&self) -> Option<LineOp> {
        match self.peek() {
            Token::Symbol("|=") => Some(LineOp::Contains),
            Token::Symbol("!=") => Some(LineOp::NotContains),
            Token::Symbol("|~") => Some(LineOp::Regex),
            Token::Symbol("!~") => Some(LineOp::NotRegex),
            Token::Symbol("|>") => Some(LineOp::Pattern),
            Token::Symbol("!>") => Some(LineOp::NotPattern),
            _ => None,
        }
    }

    fn line_filter(&mut self, op: LineOp, stages: &mut Vec<Stage>) -> Result<(), ParseError> {
        self.skip();
        let mut any = vec![self.line_match()?];
        while self.eat_word("or") {
            any.push(self.line_match()?);
        }
        if op.is_positive() {
            stages.push(Stage::Line(LineFilter { op, any }));
        } else {
            // Neither this nor that: one after another.
            let each = any.into_iter().map(|one| LineFilter { op, any: vec![one] });
            stages.extend(each.map(Stage::Line));
        }
        Ok(())
    }

    fn line_match(&mut self) -> Result<LineMatch, ParseError> {
        match self.peek() {
            Token::Text(_) => Ok(LineMatch::Text(self.text()?)),
            Token::Function("ip") => Ok(LineMatch::Ip(self.ip()?)),
            _ => Err(self.unexpected("STRING or ip")),
        }
    }

    /// `ip("...")`
    fn ip(&mut self) -> Result<String, ParseError> {
        self.skip();
        self.expect("(")?;
        let pattern = self.text()?;
        self.expect(")")?;
        Ok(pattern)
    }

    /// What follows `|`.
    fn stage(&mut self) -> Result<Stage, ParseError> {
        let Token::Word(word) = *self.peek() else {
            return Ok(Stage::Label(self.label_filter()?));
        };
        self.skip();
        Ok(match word {
            "json" => Stage::Json(self.extractions()?),
            "logfmt" => {
                let mut logfmt = Logfmt::default();
                while let Token::Flag(flag) = *self.peek() {
                    self.skip();
                    match flag {
                        "--strict" => logfmt.strict = true,
                        _ => logfmt.keep_empty = true,
                    }
                }
                logfmt.fields = self.extractions()?;
                Stage::Logfmt(logfmt)
            }
            "regexp" => Stage::Regexp(self.text()?),
            "pattern" => Stage::Pattern(self.text()?),
            "unpack" => Stage::Unpack,
            "decolorize" => Stage::Decolorize,
            "line_format" => Stage::LineFormat(self.text()?),
            "label_format" => Stage::LabelFormat(self.list(Self::label_format)?),
            "drop" => Stage::Drop(self.list(Self::label_pick)?),
            "keep" => Stage::Keep(self.list(Self::label_pick)?),
            _ => {
                self.at -= 1;
                return Err(self.unexpected("a parser, a filter or a format"));
            }
        })
    }

    fn list<T>(
        &mut self,
        item: impl Fn(&mut Self) -> Result<T, ParseError>,
    ) -> Result<Vec<T>, ParseError> {
        let mut items = vec![item(self)?];
        while self.eat(",") {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// `a="b", c`; none if no name follows.
    fn extractions(&mut self) -> Result<Vec<Extraction>, ParseError> {
        if !matches!(self.peek(), Token::Name(_)) {
            return Ok(Vec::new());
        }
        self.list(|parser| {
            let label = parser.name()?;
            let path = if parser.eat("=") {
                parser.text()?
            } else {
                label.clone()
            };
            Ok(Extraction { label, path })
        })
    }

    fn label_format(&mut self) -> Result<LabelFormat, ParseError> {
        let to = self.name()?;
        self.expect("=")?;
        match self.peek() {
            Token::Name(_) => Ok(LabelFormat::Rename {
                to,
                from: self.name()?,
            }),
            Token::Text(_) => Ok(LabelFormat::Template {
                to,
                template: self.text()?,
            }),
            _ => Err(self.unexpected("STRING or IDENTIFIER")),
        }
    }

    fn label_pick(&mut self) -> Result<LabelPick, ParseError> {
        let name = self.name()?;
        let Some(op) = self.match_op() else {
            return Ok(LabelPick::Name(name));
        };
        let value = self.text()?;
        Ok(LabelPick::Matcher(matcher(name, op, value)?))
    }

    /// Conditions on labels. `and` binds closer than `or`; a comma, or nothing at all between two of them, means `and` and binds
    /// what follows to the right, as the grammar of Loki resolves it.
    pub(super) fn label_filter(&mut self) -> Result<LabelFilter, ParseError> {
        self.enter()?;
        let mut operands = vec![self.label_condition()?];
        let mut operators: Vec<Joint> = Vec::new();
        let mut count = 1;
        loop {
            let joint = match self.peek() {
                Token::Word("and") => Joint::And,
                Token::Word("or") => Joint::Or,
                Token::Symbol(",") => Joint::Comma,
                Token::Name(_) | Token::Symbol("(") => Joint::Nothing,
                _ => break,
            };
            while operators
                .last()
                .is_some_and(|last| last.binds_before(joint))
            {
                join(&mut operands, &mut operators);
            }
            if joint != Joint::Nothing {
                self.skip();
            }
            operators.push(joint);
            operands.push(self.label_condition()?);
            count += 1;
            if count > MAX_DEPTH {
                return Err(self.error(format!("more than {MAX_DEPTH} conditions in one filter")));
            }
        }
        while !operators.is_empty() {
            join(&mut operands, &mut operators);
        }
        self.leave();
        operands.pop().ok_or_else(|| self.unexpected("IDENTIFIER"))
    }

    fn label_condition(&mut self) -> Result<LabelFilter, ParseError> {
        if self.eat("(") {
            let inner = self.label_filter()?;
            self.expect(")")?;
            return Ok(inner);
        }
        let name = self.name()?;
        let compare = match self.peek() {
            Token::Symbol("=" | "==") => Some(CompareOp::Equal),
            Token::Symbol("!=") => Some(CompareOp::NotEqual),
            Token::Symbol(">") => Some(CompareOp::Greater),
            Token::Symbol(">=") => Some(CompareOp::GreaterEqual),
            Token::Symbol("<") => Some(CompareOp::Less),
            Token::Symbol("<=") => Some(CompareOp::LessEqual),
            _ => None,
        };
        let value = match self.peek_at(1) {
            Token::Symbol("+" | "-") => self.peek_at(2).clone(),
            value => value.clone(),
        };
        match (compare, value) {
            (Some(compare), Token::Number(_)) => {
                self.skip();
                let value = self.signed_number()?;
                Ok(LabelFilter::Number(name, compare, value))
            }
            (Some(compare), Token::Duration(value)) => {
                self.skip();
                self.skip();
                Ok(LabelFilter::Duration(name, compare, value))
            }
            (Some(compare), Token::Bytes(value)) => {
                self.skip();
                self.skip();
                Ok(LabelFilter::Bytes(name, compare, value))
            }
            (_, value) => {
                let Some(op) = self.match_op() else {
                    return Err(self.unexpected("a comparison and a value"));
                };
                if value == Token::Function("ip")
                    && matches!(op, MatchOp::Equal | MatchOp::NotEqual)
                {
                    return Ok(LabelFilter::Ip(name, op == MatchOp::Equal, self.ip()?));
                }
                let value = self.text()?;
                Ok(LabelFilter::Text(matcher(name, op, value)?))
            }
        }
    }

    /// `5`, `-5`, `+5`
    pub(super) fn signed_number(&mut self) -> Result<f64, ParseError> {
        let negative = self.is_symbol("-");
        if negative || self.is_symbol("+") {
            self.skip();
        }
        let value = parse_float(&self.number()?).map_err(|error| {
            ParseError::whole(format!("unable to parse literal as a float: {error}"))
        })?;
        Ok(if negative { -value } else { value })
    }
}

/// What stands between two conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Joint {
    Or,
    And,
    Comma,
    Nothing,
}

impl Joint {
    fn precedence(self) -> Option<u8> {
        match self {
            Self::Or => Some(1),
            Self::And => Some(2),
            Self::Comma | Self::Nothing => None,
        }
    }

    fn binds_before(self, next: Self) -> bool {
        match (self.precedence(), next.precedence()) {
            (Some(a), Some(b)) => a >= b,
            _ => false,
        }
    }
}

/// Makes one operand of the last two.
fn join(operands: &mut Vec<LabelFilter>, operators: &mut Vec<Joint>) {
    if let (Some(joint), Some(right), Some(left)) =
        (operators.pop(), operands.pop(), operands.pop())
    {
        let (left, right) = (Box::new(left), Box::new(right));
        operands.push(match joint {
            Joint::Or => LabelFilter::Or(left, right),
            _ => LabelFilter::And(left, right),
        });
    }
}

fn matcher(name: String, op: MatchOp, value: String) -> Result<Matcher, ParseError> {
    Matcher::new(name, op, value).map_err(|error| {
        let cause = error.source.to_string();
        let cause = cause.lines().last().unwrap_or_default();
        ParseError::whole(format!("{error}: {cause}"))
    })
}
