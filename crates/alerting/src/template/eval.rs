//! A tree and its values -> text.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::functions;
use super::parse::{Node, Operand, Pipeline, Template};
use super::value::{Map, Value};
use super::{Context, TEXT_MAX_BYTES};

/// Templates that call each other so deep end in an error.
const CALLS_MAX: usize = 20;

/// Nodes and operands that are looked at for one text; two nested loops over some hundred results fit.
const STEPS_MAX: usize = 200_000;

/// What a list of nodes ended by.
#[derive(PartialEq)]
enum Flow {
    Through,
    Break,
    Continue,
}

struct Evaluator<'a> {
    template: &'a Template,
    context: &'a Context<'a>,
    out: String,
    variables: Vec<(String, Value)>,
    steps: usize,
    calls: usize,
}

pub(super) fn expand(template: &Template, context: &Context<'_>) -> Result<String, String> {
    let labels = Value::Map(Map::of_texts(context.labels));
    let external = context.external_labels.iter();
    let external = Value::Map(Map::of_texts(
        external.map(|(k, v)| (k.as_str(), v.as_str())),
    ));
    let entries = [
        ("Labels", labels),
        ("ExternalLabels", external),
        ("ExternalURL", Value::from(context.external_url)),
        ("Value", Value::Float(context.value)),
    ];
    let entries: BTreeMap<String, Value> = entries
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let variables = [
        ("labels", "Labels"),
        ("externalLabels", "ExternalLabels"),
        ("externalURL", "ExternalURL"),
        ("value", "Value"),
    ];
    let mut variables: Vec<(String, Value)> = variables
        .into_iter()
        .filter_map(|(name, field)| Some((name.to_owned(), entries.get(field)?.clone())))
        .collect();
    let dot = Value::Map(Arc::new(Map {
        entries,
        of_texts: false,
    }));
    variables.push((String::new(), dot.clone()));
    let mut evaluator = Evaluator {
        template,
        context,
        out: String::new(),
        variables,
        steps: 0,
        calls: 0,
    };
    evaluator.nodes(&template.nodes, &dot)?;
    Ok(evaluator.out)
}

impl Evaluator<'_> {
    fn step(&mut self) -> Result<(), String> {
        self.steps += 1;
        if self.steps > STEPS_MAX {
            return Err(format!("more than {STEPS_MAX} steps"));
        }
        Ok(())
    }

    fn write(&mut self, text: &str) -> Result<(), String> {
        if self.out.len() + text.len() > TEXT_MAX_BYTES {
            return Err(format!("the text is longer than {TEXT_MAX_BYTES} bytes"));
        }
        self.out.push_str(text);
        Ok(())
    }

    fn nodes(&mut self, nodes: &[Node], dot: &Value) -> Result<Flow, String> {
        for node in nodes {
            self.step()?;
            match node {
                Node::Text(text) => self.write(text)?,
                Node::Action(pipeline) => {
                    let value = self.pipeline(pipeline, dot)?;
                    if pipeline.variables.is_empty() {
                        self.write(&value.shown())?;
                    }
                }
                Node::If {
                    with,
                    pipeline,
                    then,
                    otherwise,
                } => {
                    let scope = self.variables.len();
                    let value = self.pipeline(pipeline, dot)?;
                    let is_true = value.is_true();
                    let inner = if *with && is_true { &value } else { dot };
                    let flow = self.nodes(if is_true { then } else { otherwise }, inner)?;
                    self.variables.truncate(scope);
                    if flow != Flow::Through {
                        return Ok(flow);
                    }
                }
                Node::Range {
                    pipeline,
                    body,
                    otherwise,
                } => self.range(pipeline, body, otherwise, dot)?,
                Node::Template(name, argument) => {
                    let dot = match argument {
                        Some(argument) => self.pipeline(argument, dot)?,
                        None => Value::Nil,
                    };
                    self.call(name, &dot)?;
                }
                Node::Break => return Ok(Flow::Break),
                Node::Continue => return Ok(Flow::Continue),
            }
        }
        Ok(Flow::Through)
    }

    fn call(&mut self, name: &str, dot: &Value) -> Result<(), String> {
        let template = self.template;
        let nodes = template.defined.get(name);
        let nodes = nodes.ok_or_else(|| format!("template {name:?} not defined"))?;
        self.calls += 1;
        if self.calls > CALLS_MAX {
            return Err(format!(
                "templates call each other more than {CALLS_MAX} deep"
            ));
        }
        let outer = std::mem::replace(&mut self.variables, vec![(String::new(), dot.clone())]);
        self.nodes(nodes, dot)?;
        self.variables = outer;
        self.calls -= 1;
        Ok(())
    }

    fn range(
        &mut self,
        pipeline: &Pipeline,
        body: &[Node],
        otherwise: &[Node],
        dot: &Value,
    ) -> Result<(), String> {
        let scope = self.variables.len();
        // Its variables are those of each item, not of the whole.
        let whole = Pipeline {
            variables: vec![],
            ..pipeline.clone()
        };
        let items: Vec<(Value, Value)> = match self.pipeline(&whole, dot)? {
            Value::List(list) => {
                let items = list.iter().enumerate();
                items.map(|(at, item)| (index(at), item.clone())).collect()
            }
            Value::Map(map) => {
                let entries = map.entries.iter();
                entries
                    .map(|(key, value)| (Value::from(key.as_str()), value.clone()))
                    .collect()
            }
            Value::Int(count) => {
                let count = usize::try_from(count).unwrap_or(0).min(STEPS_MAX);
                (0..count).map(|at| (index(at), index(at))).collect()
            }
            Value::Missing | Value::Nil => vec![],
            other => return Err(format!("range can't iterate over {}", other.shown())),
        };
        if items.is_empty() {
            self.nodes(otherwise, dot)?;
        }
        for (key, item) in items {
            self.step()?;
            match pipeline.variables.as_slice() {
                [] => {}
                [value] => self.set(value, item.clone(), pipeline.assigns),
                [name, value, ..] => {
                    self.set(name, key, pipeline.assigns);
                    self.set(value, item.clone(), pipeline.assigns);
                }
            }
            let flow = self.nodes(body, &item)?;
            self.variables.truncate(scope);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: Value, assigns: bool) {
        let mut known = self.variables.iter_mut().rev();
        match known.find(|(known, _)| known == name) {
            Some((_, known)) if assigns => *known = value,
            _ => self.variables.push((name.to_owned(), value)),
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline, dot: &Value) -> Result<Value, String> {
        let mut last: Option<Value> = None;
        for command in &pipeline.commands {
            last = Some(self.command(command, dot, last)?);
        }
        let value = last.unwrap_or(Value::Nil);
        for name in &pipeline.variables {
            self.set(name, value.clone(), pipeline.assigns);
        }
        Ok(value)
    }

    fn command(
        &mut self,
        command: &[Operand],
        dot: &Value,
        last: Option<Value>,
    ) -> Result<Value, String> {
        self.step()?;
        let (first, rest) = command.split_first().ok_or("an empty command")?;
        if let Operand::Function(name) = first {
            // `and` and `or` look at no more than they need.
            if let Some(stops_at) = functions::short_circuit(name) {
                return self.until(name, stops_at, rest, dot, last);
            }
            let mut arguments = Vec::with_capacity(rest.len() + 1);
            for operand in rest {
                arguments.push(self.operand(operand, dot)?);
            }
            arguments.extend(last);
            return functions::call(name, &arguments, self.context)
                .map_err(|error| format!("error calling {name}: {error}"));
        }
        if !rest.is_empty() || last.is_some() {
            return Err("can't give argument to non-function".to_owned());
        }
        self.operand(first, dot)
    }

    fn until(
        &mut self,
        name: &str,
        stops_at: bool,
        operands: &[Operand],
        dot: &Value,
        last: Option<Value>,
    ) -> Result<Value, String> {
        let mut value = None;
        for operand in operands {
            let found = self.operand(operand, dot)?;
            if found.is_true() == stops_at {
                return Ok(found);
            }
            value = Some(found);
        }
        last.or(value)
            .ok_or_else(|| format!("wrong number of args for {name}: want at least 1 got 0"))
    }

    fn operand(&mut self, operand: &Operand, dot: &Value) -> Result<Value, String> {
        self.step()?;
        let (value, fields) = match operand {
            Operand::Dot(fields) => (dot.clone(), fields),
            Operand::Variable(name, fields) => {
                let mut known = self.variables.iter().rev();
                let known = known.find(|(known, _)| known == name);
                let (_, value) = known.ok_or_else(|| format!("undefined variable: ${name}"))?;
                (value.clone(), fields)
            }
            Operand::Nested(pipeline, fields) => (self.pipeline(pipeline, dot)?, fields),
            Operand::Value(value) => return Ok(value.clone()),
            Operand::Function(name) => {
                return functions::call(name, &[], self.context)
                    .map_err(|error| format!("error calling {name}: {error}"));
            }
        };
        fields
            .iter()
            .try_fold(value, |value, name| value.field(name))
    }
}

fn index(at: usize) -> Value {
    Value::Int(i64::try_from(at).unwrap_or(i64::MAX))
}
