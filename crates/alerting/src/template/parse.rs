//! Tokens -> a tree.

use std::collections::BTreeMap;

use super::lex::{Token, tokens};
use super::value::Value;
use super::{TEMPLATE_MAX_BYTES, TemplateError, functions};

/// A template that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    pub(super) nodes: Vec<Node>,
    pub(super) defined: BTreeMap<String, Vec<Node>>,
}

/// One part of the tree.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Text(String),
    /// `{{ pipeline }}`
    Action(Pipeline),
    /// `{{ if }}`, and `{{ with }}`, which makes its value the dot.
    If {
        with: bool,
        pipeline: Pipeline,
        then: Vec<Node>,
        otherwise: Vec<Node>,
    },
    Range {
        pipeline: Pipeline,
        body: Vec<Node>,
        otherwise: Vec<Node>,
    },
    /// `{{ template "name" pipeline }}`
    Template(String, Option<Pipeline>),
    Break,
    Continue,
}

/// `$a, $b := command | command`
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pipeline {
    pub(super) variables: Vec<String>,
    /// `=` rather than `:=`.
    pub(super) assigns: bool,
    pub(super) commands: Vec<Vec<Operand>>,
}

/// What a command is made of.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    Dot(Vec<String>),
    Variable(String, Vec<String>),
    Function(String),
    Value(Value),
    Nested(Box<Pipeline>, Vec<String>),
}

/// Deeper than a person nests, and shallow enough for any stack.
const DEPTH_MAX: usize = 50;

struct Parser {
    tokens: std::vec::IntoIter<Token>,
    peeked: Option<Token>,
    /// Names of variables that are known here.
    variables: Vec<String>,
    defined: BTreeMap<String, Vec<Node>>,
    depth: usize,
    ranges: usize,
}

/// What ends a list of nodes.
#[derive(Debug, PartialEq)]
enum Until {
    Source,
    End,
    Else,
}

impl Template {
    /// Reads a template. `$labels`, `$externalLabels`, `$externalURL` and `$value` are known in it.
    ///
    /// # Errors
    /// It is none: in the words of Go, without the place.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        parse(text).map_err(TemplateError::Parse)
    }
}

fn parse(text: &str) -> Result<Template, String> {
    if text.len() > TEMPLATE_MAX_BYTES {
        return Err(format!("longer than {TEMPLATE_MAX_BYTES} bytes"));
    }
    let known = ["", "labels", "externalLabels", "externalURL", "value"];
    let mut parser = Parser {
        tokens: tokens(text)?.into_iter(),
        peeked: None,
        variables: known.map(str::to_owned).to_vec(),
        defined: BTreeMap::new(),
        depth: 0,
        ranges: 0,
    };
    let (nodes, end) = parser.nodes()?;
    match end {
        Until::Source => Ok(Template {
            nodes,
            defined: parser.defined,
        }),
        Until::End => Err("unexpected {{end}}".to_owned()),
        Until::Else => Err("unexpected {{else}}".to_owned()),
    }
}

impl Parser {
    fn next(&mut self) -> Option<Token> {
        self.peeked.take().or_else(|| self.tokens.next())
    }

    fn peek(&mut self) -> Option<&Token> {
        if self.peeked.is_none() {
            self.peeked = self.tokens.next();
        }
        self.peeked.as_ref()
    }

    fn skip_space(&mut self) {
        if self.peek() == Some(&Token::Space) {
            self.next();
        }
    }

    fn deeper(&mut self) -> Result<(), String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(format!("nested deeper than {DEPTH_MAX}"));
        }
        Ok(())
    }

    /// Nodes up to `{{end}}`, `{{else`, or the end of the text. Of `{{else` the rest of the action is not read.
    fn nodes(&mut self) -> Result<(Vec<Node>, Until), String> {
        let mut nodes = vec![];
        loop {
            match self.next() {
                None => return Ok((nodes, Until::Source)),
                Some(Token::Text(text)) => nodes.push(Node::Text(text)),
                Some(_) => {
                    self.skip_space();
                    let keyword = match self.peek() {
                        Some(Token::Word(word)) => word.clone(),
                        _ => String::new(),
                    };
                    if let Some(end) = self.keyword(&keyword, &mut nodes)? {
                        return Ok((nodes, end));
                    }
                }
            }
        }
    }

    /// What follows `{{`.
    fn keyword(&mut self, keyword: &str, nodes: &mut Vec<Node>) -> Result<Option<Until>, String> {
        let is_keyword = matches!(
            keyword,
            "end"
                | "else"
                | "if"
                | "with"
                | "range"
                | "break"
                | "continue"
                | "template"
                | "define"
                | "block"
        );
        if is_keyword {
            self.next();
        }
        match keyword {
            "end" => {
                self.close("end")?;
                return Ok(Some(Until::End));
            }
            "else" => return Ok(Some(Until::Else)),
            "if" | "with" => nodes.push(self.branch(keyword == "with")?),
            "range" => nodes.push(self.range()?),
            "break" | "continue" => {
                if self.ranges == 0 {
                    return Err(format!("{{{{{keyword}}}}} outside {{{{range}}}}"));
                }
                self.close(keyword)?;
                let is_break = keyword == "break";
                nodes.push(if is_break {
                    Node::Break
                } else {
                    Node::Continue
                });
            }
            "template" => {
                let name = self.name("template")?;
                nodes.push(Node::Template(name, self.argument()?));
            }
            "define" => {
                let name = self.name("define")?;
                self.close("define")?;
                self.define(name)?;
            }
            "block" => {
                let name = self.name("block")?;
                let argument = self.pipeline(&Token::Close)?;
                self.define(name.clone())?;
                nodes.push(Node::Template(name, Some(argument)));
            }
            _ => nodes.push(Node::Action(self.pipeline(&Token::Close)?)),
        }
        Ok(None)
    }

    fn define(&mut self, name: String) -> Result<(), String> {
        let outer = std::mem::replace(&mut self.variables, vec![String::new()]);
        let ranges = std::mem::take(&mut self.ranges);
        self.deeper()?;
        let (nodes, end) = self.nodes()?;
        if end != Until::End {
            return Err("unexpected end of {{define}}".to_owned());
        }
        self.depth -= 1;
        self.ranges = ranges;
        self.variables = outer;
        self.defined.insert(name, nodes);
        Ok(())
    }

    fn name(&mut self, of: &str) -> Result<String, String> {
        self.skip_space();
        match self.next() {
            Some(Token::Quoted(name)) => Ok(name),
            _ => Err(format!("expected a quoted name in {of} clause")),
        }
    }

    fn argument(&mut self) -> Result<Option<Pipeline>, String> {
        self.skip_space();
        if self.peek() == Some(&Token::Close) {
            self.next();
            return Ok(None);
        }
        Ok(Some(self.pipeline(&Token::Close)?))
    }

    fn close(&mut self, after: &str) -> Result<(), String> {
        self.skip_space();
        match self.next() {
            Some(Token::Close) => Ok(()),
            _ => Err(format!("unexpected text after {after}")),
        }
    }

    fn branch(&mut self, with: bool) -> Result<Node, String> {
        self.deeper()?;
        let scope = self.variables.len();
        let pipeline = self.pipeline(&Token::Close)?;
        let (then, end) = self.nodes()?;
        let otherwise = self.otherwise(end, Some(with))?;
        self.variables.truncate(scope);
        self.depth -= 1;
        Ok(Node::If {
            with,
            pipeline,
            then,
            otherwise,
        })
    }

    fn range(&mut self) -> Result<Node, String> {
        self.deeper()?;
        let scope = self.variables.len();
        let pipeline = self.pipeline(&Token::Close)?;
        self.ranges += 1;
        let (body, end) = self.nodes()?;
        self.ranges -= 1;
        let otherwise = self.otherwise(end, None)?;
        self.variables.truncate(scope);
        self.depth -= 1;
        Ok(Node::Range {
            pipeline,
            body,
            otherwise,
        })
    }

    /// What follows `{{else`, if that is what ended the first part.
    fn otherwise(&mut self, end: Until, of_branch: Option<bool>) -> Result<Vec<Node>, String> {
        match end {
            Until::End => return Ok(vec![]),
            Until::Source => return Err("unexpected EOF".to_owned()),
            Until::Else => {}
        }
        self.skip_space();
        // `{{else if}}` is an `if` of its own that shares the `{{end}}`.
        if let Some(with) = of_branch
            && let Some(Token::Word(word)) = self.peek()
            && word == if with { "with" } else { "if" }
        {
            self.next();
            return Ok(vec![self.branch(with)?]);
        }
        self.close("else")?;
        let (nodes, end) = self.nodes()?;
        match end {
            Until::End => Ok(nodes),
            _ => Err("expected end; found {{else}} or the end of the text".to_owned()),
        }
    }

    fn pipeline(&mut self, end: &Token) -> Result<Pipeline, String> {
        let mut pipeline = Pipeline {
            variables: vec![],
            assigns: false,
            commands: vec![],
        };
        let mut first = self.operands()?;
        // `$a :=`, `$a =`, `$i, $a :=`
        if let [Operand::Variable(name, fields)] = first.as_slice()
            && fields.is_empty()
        {
            let mut names = vec![name.clone()];
            if self.peek() == Some(&Token::Sign(',')) {
                self.next();
                match self.operands()?.as_slice() {
                    [Operand::Variable(name, fields)] if fields.is_empty() => {
                        names.push(name.clone())
                    }
                    _ => return Err("expected a variable behind the comma".to_owned()),
                }
            }
            let declares = match self.peek() {
                Some(Token::Declare) => Some(true),
                Some(Token::Assign) => Some(false),
                _ if names.len() == 2 => return Err("expected := behind variables".to_owned()),
                _ => None,
            };
            if let Some(declares) = declares {
                self.next();
                pipeline.assigns = !declares;
                pipeline.variables = names;
                first = self.operands()?;
            }
        }
        pipeline.commands.push(first);
        loop {
            match self.next() {
                Some(token) if token == *end => break,
                Some(Token::Sign('|')) => {
                    let command = self.operands()?;
                    pipeline.commands.push(command);
                }
                Some(token) => return Err(format!("unexpected {} in operand", shown(&token))),
                None => return Err("unclosed action".to_owned()),
            }
        }
        if pipeline.commands.iter().any(Vec::is_empty) {
            return Err("missing value for command".to_owned());
        }
        for command in pipeline.commands.iter().skip(1) {
            if matches!(command[0], Operand::Value(_) | Operand::Nested(..)) {
                return Err("non executable command in pipeline".to_owned());
            }
        }
        self.check(&pipeline)?;
        if !pipeline.assigns {
            self.variables.extend(pipeline.variables.iter().cloned());
        }
        Ok(pipeline)
    }

    /// Every name is known.
    fn check(&self, pipeline: &Pipeline) -> Result<(), String> {
        let known = |name: &String| {
            let found = self.variables.contains(name);
            found
                .then_some(())
                .ok_or_else(|| format!("undefined variable \"${name}\""))
        };
        if pipeline.assigns {
            pipeline.variables.iter().try_for_each(known)?;
        }
        for operand in pipeline.commands.iter().flatten() {
            match operand {
                Operand::Variable(name, _) => known(name)?,
                Operand::Function(name) if !functions::is_known(name) => {
                    return Err(format!("function {name:?} not defined"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The operands of one command, up to what cannot be one.
    fn operands(&mut self) -> Result<Vec<Operand>, String> {
        let mut operands = vec![];
        loop {
            self.skip_space();
            let operand = match self.peek() {
                Some(
                    Token::Word(_)
                    | Token::Field(_)
                    | Token::Variable(_)
                    | Token::Quoted(_)
                    | Token::Int(_)
                    | Token::Float(_)
                    | Token::Sign('('),
                ) => self.operand()?,
                _ => return Ok(operands),
            };
            operands.push(operand);
            let ends = matches!(
                self.peek(),
                None | Some(
                    Token::Space | Token::Close | Token::Sign(_) | Token::Declare | Token::Assign
                )
            );
            if !ends {
                return Err("operands have to be separated by spaces".to_owned());
            }
        }
    }

    fn operand(&mut self) -> Result<Operand, String> {
        Ok(match self.next() {
            Some(Token::Word(word)) => match word.as_str() {
                "true" => Operand::Value(Value::Bool(true)),
                "false" => Operand::Value(Value::Bool(false)),
                "nil" => Operand::Value(Value::Nil),
                _ => Operand::Function(word),
            },
            Some(Token::Field(name)) => {
                let mut fields = vec![];
                if !name.is_empty() {
                    fields.push(name);
                    fields.extend(self.fields());
                }
                Operand::Dot(fields)
            }
            Some(Token::Variable(name)) => Operand::Variable(name, self.fields()),
            Some(Token::Quoted(text)) => Operand::Value(Value::Text(text.into())),
            Some(Token::Int(number)) => Operand::Value(Value::Int(number)),
            Some(Token::Float(number)) => Operand::Value(Value::Float(number)),
            Some(Token::Sign('(')) => {
                self.deeper()?;
                let nested = self.pipeline(&Token::Sign(')'))?;
                self.depth -= 1;
                Operand::Nested(Box::new(nested), self.fields())
            }
            _ => return Err("expected an operand".to_owned()),
        })
    }

    fn fields(&mut self) -> Vec<String> {
        let mut fields = vec![];
        while let Some(Token::Field(name)) = self.peek()
            && !name.is_empty()
        {
            fields.push(name.clone());
            self.next();
        }
        fields
    }
}

fn shown(token: &Token) -> String {
    match token {
        Token::Close => "}}".to_owned(),
        Token::Sign(sign) => format!("{sign:?}"),
        Token::Declare => ":=".to_owned(),
        Token::Assign => "=".to_owned(),
        token => format!("{token:?}"),
    }
}
