//! Text to nodes.

use super::functions::exists;
use super::{Node, Operand, Pipe};
use crate::text::{parse_float, unquote};

/// How deeply blocks and parentheses may be nested.
const MAX_DEPTH: usize = 32;

pub(super) fn parse(text: &str) -> Result<Vec<Node>, String> {
    let items = split(text)?;
    let mut parser = Parser {
        items: items.into_iter(),
        variables: vec!["$".to_owned()],
        depth: 0,
        loops: 0,
    };
    let (nodes, end) = parser.block()?;
    match end {
        Close::Text => Ok(nodes),
        Close::End => Err("unexpected {{end}}".to_owned()),
        Close::Else(_) => Err("unexpected {{else}}".to_owned()),
    }
}

enum Item<'a> {
    Text(&'a str),
    Action(&'a str),
}

/// Text and what stands between `{{` and `}}`, with the blanks trimmed that `{{-` and `-}}` ask for.
fn split(text: &str) -> Result<Vec<Item<'_>>, String> {
    let mut items = Vec::new();
    let mut rest = text;
    let mut trims = false;
    while !rest.is_empty() {
        let Some((before, after)) = rest.split_once("{{") else {
            items.push(Item::Text(if trims { rest.trim_start() } else { rest }));
            break;
        };
        let before = if trims { before.trim_start() } else { before };
        let trims_before = after
            .strip_prefix('-')
            .is_some_and(|after| after.starts_with(char::is_whitespace));
        items.push(Item::Text(if trims_before {
            before.trim_end()
        } else {
            before
        }));
        let body = if trims_before { &after[1..] } else { after };
        let end = close(body).ok_or("unclosed action")?;
        let mut inner = &body[..end];
        rest = &body[end + 2..];
        trims = inner
            .strip_suffix('-')
            .is_some_and(|inner| inner.ends_with(char::is_whitespace));
        if trims {
            inner = &inner[..inner.len() - 1];
        }
        let inner = inner.trim();
        let comment = inner.strip_prefix("/*").and_then(|c| c.strip_suffix("*/"));
        if comment.is_none() {
            items.push(Item::Action(inner));
        }
    }
    Ok(items)
}

/// Where `}}` is, outside of strings and comments.
fn close(body: &str) -> Option<usize> {
    if body.trim_start().starts_with("/*") {
        let comment = body.find("*/")?;
        return Some(comment + body[comment..].find("}}")?);
    }
    let bytes = body.as_bytes();
    let mut mark = None;
    let mut at = 0;
    while at < bytes.len() {
        match (mark, bytes[at]) {
            (None, b'}') if bytes[at..].starts_with(b"}}") => return Some(at),
            (None, quote @ (b'"' | b'`' | b'\'')) => mark = Some(quote),
            (Some(quote), b'\\') if quote != b'`' => at += 1,
            (Some(quote), b) if b == quote => mark = None,
            _ => {}
        }
        at += 1;
    }
    None
}

enum Close<'a> {
    Text,
    End,
    /// What follows `else`.
    Else(&'a str),
}

struct Parser<'a> {
    items: std::vec::IntoIter<Item<'a>>,
    variables: Vec<String>,
    depth: usize,
    loops: usize,
}

impl<'a> Parser<'a> {
    fn block(&mut self) -> Result<(Vec<Node>, Close<'a>), String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("blocks are nested more than {MAX_DEPTH} deep"));
        }
        let known = self.variables.len();
        let mut nodes = Vec::new();
        let end = loop {
            let action = match self.items.next() {
                None => break Close::Text,
                Some(Item::Text("")) => continue,
                Some(Item::Text(text)) => {
                    nodes.push(Node::Text(text.to_owned()));
                    continue;
                }
                Some(Item::Action(action)) => action,
            };
            let word = action.find(char::is_whitespace).unwrap_or(action.len());
            let (word, rest) = action.split_at(word);
            match word {
                "end" if rest.is_empty() => break Close::End,
                "else" => break Close::Else(rest.trim()),
                "if" => nodes.push(self.branch(word, rest)?),
                "with" => nodes.push(self.branch(word, rest)?),
                "range" => nodes.push(self.branch(word, rest)?),
                "break" | "continue" if self.loops == 0 => {
                    return Err(format!("{{{{{word}}}}} outside {{{{range}}}}"));
                }
                "break" => nodes.push(Node::Break),
                "continue" => nodes.push(Node::Continue),
                "define" | "template" | "block" => {
                    return Err(format!("{word} is not supported in a line's template"));
                }
                _ => nodes.push(Node::Action(self.pipe(action)?)),
            }
        };
        if self.depth > 1 {
            self.variables.truncate(known);
        }
        self.depth -= 1;
        Ok((nodes, end))
    }

    /// `if`, `with` or `range`, up to its `end`.
    fn branch(&mut self, word: &str, pipe: &str) -> Result<Node, String> {
        let known = self.variables.len();
        let pipe = self.pipe(pipe.trim())?;
        self.loops += usize::from(word == "range");
        let (then, end) = self.block()?;
        self.loops -= usize::from(word == "range");
        let otherwise = match end {
            Close::Text => return Err("unexpected EOF".to_owned()),
            Close::End => Vec::new(),
            Close::Else("") => match self.block()? {
                (otherwise, Close::End) => otherwise,
                (_, Close::Else(_)) => return Err("expected end; found {{else}}".to_owned()),
                (_, Close::Text) => return Err("unexpected EOF".to_owned()),
            },
            // `else if ...` ends with the same `end`.
            Close::Else(chained) => {
                let split = chained.find(char::is_whitespace).unwrap_or(chained.len());
                let (again, rest) = chained.split_at(split);
                if again != word || word == "range" {
                    return Err(format!("unexpected {chained:?} after else"));
                }
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return Err(format!("blocks are nested more than {MAX_DEPTH} deep"));
                }
                let nested = self.branch(word, rest)?;
                self.depth -= 1;
                vec![nested]
            }
        };
        self.variables.truncate(known);
        Ok(match word {
            "if" => Node::If {
                condition: pipe,
                then,
                otherwise,
            },
            "with" => Node::With {
                value: pipe,
                then,
                otherwise,
            },
            _ => Node::Range {
                over: pipe,
                each: then,
                otherwise,
            },
        })
    }

    fn pipe(&mut self, text: &str) -> Result<Pipe, String> {
        let mut words = Words {
            rest: text,
            variables: &self.variables,
            depth: 0,
        };
        let pipe = words.pipe()?;
        if !words.rest.trim_start().is_empty() {
            return Err(format!(
                "unexpected {:?} in command",
                words.rest.trim_start()
            ));
        }
        if !pipe.assigns {
            self.variables.extend(pipe.variables.iter().cloned());
        }
        Ok(pipe)
    }
}

struct Words<'a> {
    rest: &'a str,
    variables: &'a [String],
    depth: usize,
}

impl<'a> Words<'a> {
    fn blank(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, text: &str) -> bool {
        self.blank();
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn name(&mut self) -> &'a str {
        let part = |c: char| c == '_' || c.is_alphanumeric();
        let end = self.rest.find(|c| !part(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        name
    }

    /// `.a.b` behind something.
    fn path(&mut self) -> Result<Vec<String>, String> {
        let mut path = Vec::new();
        while let Some(rest) = self.rest.strip_prefix('.') {
            self.rest = rest;
            let name = self.name();
            if name.is_empty() {
                return Err("unexpected . in operand".to_owned());
            }
            path.push(name.to_owned());
        }
        Ok(path)
    }

    /// The variables that are set, and whether they exist already.
    fn declaration(&mut self) -> Option<(Vec<String>, bool)> {
        let before = self.rest;
        let mut names = Vec::new();
        while self.eat("$") {
            names.push(format!("${}", self.name()));
            if !self.eat(",") {
                break;
            }
        }
        if !names.is_empty() && names.len() <= 2 {
            if self.eat(":=") {
                return Some((names, false));
            }
            if !self.rest.starts_with("==") && self.eat("=") {
                return Some((names, true));
            }
        }
        self.rest = before;
        None
    }

    fn pipe(&mut self) -> Result<Pipe, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("parentheses are nested more than {MAX_DEPTH} deep"));
        }
        self.blank();
        let (variables, assigns) = self.declaration().unwrap_or_default();
        if assigns && variables.iter().any(|name| !self.variables.contains(name)) {
            return Err(format!("undefined variable {:?}", variables.join(", ")));
        }
        let mut commands = vec![self.command()?];
        while self.eat("|") {
            commands.push(self.command()?);
        }
        self.depth -= 1;
        for command in &commands[1..] {
            if !matches!(command.first(), Some(Operand::Function(_))) {
                return Err("non executable command in pipeline stage 2".to_owned());
            }
        }
        Ok(Pipe {
            variables,
            assigns,
            commands,
        })
    }

    fn command(&mut self) -> Result<Vec<Operand>, String> {
        let mut operands = Vec::new();
        loop {
            self.blank();
            if self.rest.is_empty() || self.rest.starts_with(['|', ')']) {
                break;
            }
            operands.push(self.operand()?);
            let separated = self.rest.is_empty()
                || self.rest.starts_with(['|', ')', '('])
                || self.rest.starts_with(char::is_whitespace);
            if !separated {
                return Err(format!("unexpected {:?} in operand", self.rest));
            }
        }
        match operands.first() {
            None => Err("missing value for command".to_owned()),
            Some(
                Operand::Function(_)
                | Operand::Field(_)
                | Operand::Variable(..)
                | Operand::Nested(..),
            ) => Ok(operands),
            Some(_) if operands.len() == 1 => Ok(operands),
            Some(_) => Err("can't give argument to non-function".to_owned()),
        }
    }

    fn operand(&mut self) -> Result<Operand, String> {
        let rest = self.rest;
        match rest.chars().next() {
            Some('.') => {
                let digit = rest[1..].starts_with(|c: char| c.is_ascii_digit());
                if digit {
                    return self.number();
                }
                if !rest[1..].starts_with(|c: char| c == '_' || c.is_alphabetic()) {
                    self.rest = &rest[1..];
                    return Ok(Operand::Dot);
                }
                Ok(Operand::Field(self.path()?))
            }
            Some('$') => {
                self.rest = &rest[1..];
                let name = format!("${}", self.name());
                if !self.variables.contains(&name) {
                    return Err(format!("undefined variable {name:?}"));
                }
                Ok(Operand::Variable(name, self.path()?))
            }
            Some('(') => {
                self.rest = &rest[1..];
                let pipe = self.pipe()?;
                if !self.eat(")") {
                    return Err("unclosed left paren".to_owned());
                }
                Ok(Operand::Nested(Box::new(pipe), self.path()?))
            }
            Some(mark @ ('"' | '`')) => {
                let mut escaped = false;
                let end = rest[1..].find(|c| {
                    let ends = c == mark && !escaped;
                    escaped = c == '\\' && !escaped && mark == '"';
                    ends
                });
                let end = end.ok_or("unterminated quoted string")? + 2;
                self.rest = &rest[end..];
                let text = unquote(&rest[..end]).map_err(|e| format!("{}: {e}", &rest[..end]))?;
                Ok(Operand::Text(text))
            }
            Some('\'') => {
                let end = rest[1..]
                    .find('\'')
                    .ok_or("unterminated character constant")?;
                self.rest = &rest[end + 2..];
                let quoted = format!("\"{}\"", &rest[1..=end]);
                let text = unquote(&quoted)?;
                let mut chars = text.chars();
                match (chars.next(), chars.next()) {
                    (Some(c), None) => Ok(Operand::Int(i64::from(c as u32))),
                    _ => Err("malformed character constant".to_owned()),
                }
            }
            Some(c) if c.is_ascii_digit() || c == '-' || c == '+' => self.number(),
            Some(c) if c == '_' || c.is_alphabetic() => {
                let name = self.name();
                Ok(match name {
                    "true" => Operand::Bool(true),
                    "false" => Operand::Bool(false),
                    "nil" => Operand::Nil,
                    name if exists(name) => Operand::Function(name.to_owned()),
                    name => return Err(format!("function {name:?} not defined")),
                })
            }
            Some(c) => Err(format!("unexpected {c:?} in operand")),
            None => Err("missing value for command".to_owned()),
        }
    }

    fn number(&mut self) -> Result<Operand, String> {
        let part = |c: char| c.is_ascii_alphanumeric() || "+-._".contains(c);
        let end = self.rest.find(|c| !part(c)).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        let bad = || format!("bad number syntax: {text:?}");
        if let Ok(int) = text.parse() {
            return Ok(Operand::Int(int));
        }
        if let Some(hex) = text.strip_prefix("0x") {
            return i64::from_str_radix(hex, 16)
                .map(Operand::Int)
                .map_err(|_| bad());
        }
        if text.contains(|c: char| c.is_ascii_alphabetic() && c != 'e' && c != 'E') {
            return Err(bad());
        }
        parse_float(text).map(Operand::Float).map_err(|_| bad())
    }
}
