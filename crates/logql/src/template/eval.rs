//! Nodes to text.

use super::functions::call;
use super::value::Value;
use super::{Node, Operand, Pipe, Scope};

/// The longest output, in bytes.
pub(super) const MAX_OUTPUT: usize = 1 << 20;
/// How many nodes may be visited.
const MAX_STEPS: usize = 100_000;

pub(super) fn render(nodes: &[Node], scope: &Scope<'_>, out: &mut String) -> Result<(), String> {
    let mut machine = Machine {
        scope,
        variables: Vec::new(),
        steps: 0,
        out,
    };
    machine.nodes(nodes, &Dot::Root).map(drop)
}

/// What `.` is.
enum Dot {
    /// All labels, which are put together only if they are asked for as a whole.
    Root,
    Value(Value),
}

/// How a block ended.
#[derive(PartialEq)]
enum Flow {
    On,
    Break,
    Continue,
}

struct Machine<'s> {
    scope: &'s Scope<'s>,
    variables: Vec<(String, Value)>,
    steps: usize,
    out: &'s mut String,
}

impl Machine<'_> {
    fn step(&mut self) -> Result<(), String> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err(format!("template takes more than {MAX_STEPS} steps"));
        }
        Ok(())
    }

    fn nodes(&mut self, nodes: &[Node], dot: &Dot) -> Result<Flow, String> {
        for node in nodes {
            self.step()?;
            let flow = match node {
                Node::Text(text) => {
                    self.out.push_str(text);
                    Flow::On
                }
                Node::Action(pipe) => {
                    let value = self.pipe(pipe, dot)?;
                    if pipe.variables.is_empty() {
                        value.print(self.out);
                    }
                    Flow::On
                }
                Node::If {
                    condition,
                    then,
                    otherwise,
                } => {
                    let before = self.variables.len();
                    let holds = self.pipe(condition, dot)?.is_true();
                    let flow = self.nodes(if holds { then } else { otherwise }, dot)?;
                    self.variables.truncate(before);
                    flow
                }
                Node::With {
                    value,
                    then,
                    otherwise,
                } => {
                    let before = self.variables.len();
                    let value = self.pipe(value, dot)?;
                    let flow = if value.is_true() {
                        self.nodes(then, &Dot::Value(value))?
                    } else {
                        self.nodes(otherwise, dot)?
                    };
                    self.variables.truncate(before);
                    flow
                }
                Node::Range {
                    over,
                    each,
                    otherwise,
                } => self.range(over, each, otherwise, dot)?,
                Node::Break => Flow::Break,
                Node::Continue => Flow::Continue,
            };
            if self.out.len() > MAX_OUTPUT {
                return Err(format!("template makes more than {MAX_OUTPUT} bytes"));
            }
            if flow != Flow::On {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    fn range(
        &mut self,
        over: &Pipe,
        each: &[Node],
        otherwise: &[Node],
        dot: &Dot,
    ) -> Result<Flow, String> {
        let before = self.variables.len();
        let items: Vec<(Value, Value)> = match self.commands(over, dot)? {
            Value::List(list) => {
                let index = (0..).map(Value::Int);
                index.zip(list).collect()
            }
            Value::Map(map) | Value::Labels(map) => {
                map.into_iter().map(|(k, v)| (Value::Text(k), v)).collect()
            }
            Value::Int(count) => {
                let count = count.min(i64::try_from(MAX_STEPS).unwrap_or(i64::MAX));
                (0..count).map(|i| (Value::Int(i), Value::Int(i))).collect()
            }
            Value::Nil => Vec::new(),
            other => return Err(format!("range can't iterate over {}", other.text())),
        };
        if items.is_empty() {
            return self.nodes(otherwise, dot);
        }
        for (key, value) in items {
            // An empty body has no nodes that count.
            self.step()?;
            self.variables.truncate(before);
            match over.variables.as_slice() {
                [] => {}
                [item] => self.variables.push((item.clone(), value.clone())),
                [index, item, ..] => {
                    self.variables.push((index.clone(), key));
                    self.variables.push((item.clone(), value.clone()));
                }
            }
            if self.nodes(each, &Dot::Value(value))? == Flow::Break {
                break;
            }
        }
        self.variables.truncate(before);
        Ok(Flow::On)
    }

    /// The value of a pipeline, which may set a variable.
    fn pipe(&mut self, pipe: &Pipe, dot: &Dot) -> Result<Value, String> {
        let value = self.commands(pipe, dot)?;
        if let Some(name) = pipe.variables.last() {
            let known = self
                .variables
                .iter_mut()
                .rev()
                .find(|(known, _)| known == name);
            match known {
                Some((_, old)) if pipe.assigns => *old = value.clone(),
                _ => self.variables.push((name.clone(), value.clone())),
            }
        }
        Ok(value)
    }

    fn commands(&mut self, pipe: &Pipe, dot: &Dot) -> Result<Value, String> {
        let mut last = None;
        for command in &pipe.commands {
            last = Some(self.command(command, last, dot)?);
        }
        Ok(last.unwrap_or(Value::Nil))
    }

    fn command(
        &mut self,
        command: &[Operand],
        last: Option<Value>,
        dot: &Dot,
    ) -> Result<Value, String> {
        self.step()?;
        let (first, rest) = command.split_first().ok_or("missing value for command")?;
        let Operand::Function(name) = first else {
            if !rest.is_empty() {
                return Err("can't give argument to non-function".to_owned());
            }
            return self.operand(first, dot);
        };
        // These two end as soon as it is decided.
        if name == "and" || name == "or" {
            let mut value = Value::Nil;
            for operand in rest {
                value = self.operand(operand, dot)?;
                if value.is_true() == (name == "or") {
                    return Ok(value);
                }
            }
            return Ok(last.unwrap_or(value));
        }
        let mut arguments = Vec::with_capacity(rest.len() + 1);
        for operand in rest {
            arguments.push(self.operand(operand, dot)?);
        }
        arguments.extend(last);
        call(name, &arguments, self.scope).map_err(|e| format!("error calling {name}: {e}"))
    }

    fn operand(&mut self, operand: &Operand, dot: &Dot) -> Result<Value, String> {
        Ok(match operand {
            Operand::Dot => match dot {
                Dot::Root => self.labels(),
                Dot::Value(value) => value.clone(),
            },
            Operand::Field(path) => match dot {
                Dot::Root => self.label(path)?,
                Dot::Value(value) => follow(value.clone(), path)?,
            },
            Operand::Variable(name, path) if name == "$" => {
                if path.is_empty() {
                    self.labels()
                } else {
                    self.label(path)?
                }
            }
            Operand::Variable(name, path) => {
                let found = self.variables.iter().rev().find(|(known, _)| known == name);
                let value = found.map_or(Value::Nil, |(_, value)| value.clone());
                follow(value, path)?
            }
            Operand::Function(_) => self.command(std::slice::from_ref(operand), None, dot)?,
            Operand::Nested(pipe, path) => {
                let value = self.pipe(pipe, dot)?;
                follow(value, path)?
            }
            Operand::Text(text) => Value::Text(text.clone()),
            Operand::Int(value) => Value::Int(*value),
            Operand::Float(value) => Value::Float(*value),
            Operand::Bool(value) => Value::Bool(*value),
            Operand::Nil => Value::Nil,
        })
    }

    fn labels(&self) -> Value {
        let pairs = self.scope.fields.iter();
        Value::Labels(
            pairs
                .map(|(name, value)| (name.to_owned(), Value::Text(value.to_owned())))
                .collect(),
        )
    }

    fn label(&self, path: &[String]) -> Result<Value, String> {
        let (name, rest) = path.split_first().ok_or("missing name")?;
        let fields = self.scope.fields;
        let value = match name.as_str() {
            crate::fields::ERROR => fields.error(),
            crate::fields::ERROR_DETAILS => fields.details(),
            name => fields.get(name).unwrap_or_default(),
        };
        follow(Value::Text(value.to_owned()), rest)
    }
}

fn follow(mut value: Value, path: &[String]) -> Result<Value, String> {
    for name in path {
        value = value.member(name)?;
    }
    Ok(value)
}
