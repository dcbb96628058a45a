//! Templates as Go's `text/template` reads them, with the functions that Loki offers.
//!
//! What they may cost is bounded: the length of the output, the number of steps, the depth. There is no `define` and no
//! `template`, which have no use in a single line.

mod eval;
mod functions;
mod parse;
mod printf;
mod time;
mod value;

use crate::fields::Fields;

/// A template, ready to be filled.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    nodes: Vec<Node>,
    /// `{{.name}}` and nothing else.
    simple: Option<String>,
}

/// What a template is filled with.
pub(crate) struct Scope<'a> {
    /// What `.name` stands for.
    pub(crate) fields: &'a Fields,
    /// `__line__`
    pub(crate) line: &'a str,
    /// `__timestamp__`, in nanoseconds.
    pub(crate) nanos: i64,
    /// `now`, in nanoseconds.
    pub(crate) now: i64,
}

#[derive(Debug, Clone)]
enum Node {
    Text(String),
    Action(Pipe),
    If {
        condition: Pipe,
        then: Vec<Node>,
        otherwise: Vec<Node>,
    },
    With {
        value: Pipe,
        then: Vec<Node>,
        otherwise: Vec<Node>,
    },
    Range {
        over: Pipe,
        each: Vec<Node>,
        otherwise: Vec<Node>,
    },
    Break,
    Continue,
}

/// `$x := a | b`
#[derive(Debug, Clone)]
struct Pipe {
    variables: Vec<String>,
    /// They exist already.
    assigns: bool,
    commands: Vec<Vec<Operand>>,
}

#[derive(Debug, Clone)]
enum Operand {
    /// `.`
    Dot,
    /// `.a.b`
    Field(Vec<String>),
    /// `$x.a`
    Variable(String, Vec<String>),
    Function(String),
    /// `(...).a`
    Nested(Box<Pipe>, Vec<String>),
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    Nil,
}

impl Template {
    /// Reads one.
    ///
    /// # Errors
    /// It is none: what is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let nodes = parse::parse(text)?;
        let simple = match nodes.as_slice() {
            [Node::Action(pipe)] if pipe.variables.is_empty() => match pipe.commands.as_slice() {
                [command] => match command.as_slice() {
                    [Operand::Field(path)] if path.len() == 1 => Some(path[0].clone()),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        };
        Ok(Self { nodes, simple })
    }

    /// Fills it.
    ///
    /// # Errors
    /// A function failed, or it costs too much.
    pub(crate) fn render(&self, scope: &Scope<'_>, out: &mut String) -> Result<(), String> {
        if let Some(name) = &self.simple {
            out.push_str(scope.fields.get(name).unwrap_or_default());
            return Ok(());
        }
        eval::render(&self.nodes, scope, out)
    }

    /// Adds the labels that it asks for; false if that may be any.
    pub(crate) fn names(&self, names: &mut Vec<String>) -> bool {
        names_of(&self.nodes, names, true)
    }
}

/// `root`: whether `.` is all labels here.
fn names_of(nodes: &[Node], names: &mut Vec<String>, root: bool) -> bool {
    nodes.iter().all(|node| match node {
        Node::Text(_) | Node::Break | Node::Continue => true,
        Node::Action(pipe) => names_of_pipe(pipe, names, root),
        Node::If {
            condition,
            then,
            otherwise,
        } => {
            names_of_pipe(condition, names, root)
                && names_of(then, names, root)
                && names_of(otherwise, names, root)
        }
        Node::With {
            value: pipe,
            then: inner,
            otherwise,
        }
        | Node::Range {
            over: pipe,
            each: inner,
            otherwise,
        } => {
            names_of_pipe(pipe, names, root)
                && names_of(inner, names, false)
                && names_of(otherwise, names, root)
        }
    })
}

fn names_of_pipe(pipe: &Pipe, names: &mut Vec<String>, root: bool) -> bool {
    pipe.commands.iter().flatten().all(|operand| match operand {
        Operand::Dot => !root,
        Operand::Field(path) => {
            names.extend(path.first().cloned());
            true
        }
        Operand::Variable(name, path) if name == "$" => {
            names.extend(path.first().cloned());
            !path.is_empty()
        }
        Operand::Nested(pipe, _) => names_of_pipe(pipe, names, root),
        _ => true,
    })
}

#[cfg(test)]
mod tests;
