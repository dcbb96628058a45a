//! Terraform: folders whose references resolve, modules that are called as they want it, names that AWS takes.

use std::collections::{BTreeMap, BTreeSet};

use hcl::eval::{Context, Evaluate, FuncArgs, FuncDef, ParamType};
use hcl::expr::{Expression, ObjectKey, Operation, Traversal, TraversalOperator};
use hcl::template::{Directive, Element, Template};
use hcl::{Block, Body, Structure, Value};
use wharf_base::files::FileSet;

use super::aws;
use super::reading::{Checked, pattern, resolve};

/// What a folder declares.
#[derive(Default)]
struct Folder {
    files: Vec<(String, Body)>,
    /// By name; whether there is a default.
    variables: BTreeMap<String, Option<Value>>,
    locals: BTreeMap<String, Expression>,
    outputs: BTreeSet<String>,
    /// `aws_x.y`, `data.aws_x.y`, `module.y`.
    declared: BTreeSet<String>,
    /// Aliases of providers: `aws.recovery`.
    providers: BTreeSet<String>,
}

/// Names that stand for something of the place where they stand.
const PLACES: [&str; 6] = ["each", "count", "self", "path", "terraform", "all"];

pub(super) fn check(files: &FileSet) -> Checked {
    let mut folders: BTreeMap<String, Folder> = BTreeMap::new();
    for (path, file) in files {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        if path.ends_with(".tf") {
            let body: Body = hcl::parse(&file.text)
                .map_err(|error| format!("{path} is no HCL: {error}\n{}", file.text))?;
            let folder = folders.entry(folder.to_owned()).or_default();
            declare(folder, &body).map_err(|problem| format!("{path}: {problem}"))?;
            folder.files.push((path.clone(), body));
        }
    }
    for (path, file) in files {
        if path.contains(".tfvars") {
            let body: Body = hcl::parse(&file.text)
                .map_err(|error| format!("{path} is no HCL: {error}\n{}", file.text))?;
            // The folder itself, or the one above: `terraform -var-file=dr/recovery.tfvars`.
            let mut above = path.as_str();
            let folder = loop {
                above = above.rsplit_once('/').map_or("", |(folder, _)| folder);
                match folders.get(above) {
                    Some(folder) => break folder,
                    None if above.is_empty() => {
                        return Err(format!("{path}: there is nothing beside it"));
                    }
                    None => {}
                }
            };
            for attribute in body.attributes() {
                if !folder.variables.contains_key(attribute.key()) {
                    return Err(format!("{path}: no variable is called {}", attribute.key()));
                }
            }
        }
    }
    for folder in folders.values() {
        for (path, body) in &folder.files {
            references(folder, &folders, path, body)
                .map_err(|problem| format!("{path}: {problem}"))?;
        }
    }
    // Modules are looked at with what they are called with; the others are roots.
    let mut names = BTreeSet::new();
    for (place, folder) in &folders {
        if !place.contains("modules/") {
            name(place, folder, &folders, BTreeMap::new(), &mut names)?;
        }
    }
    Ok(())
}

fn declare(folder: &mut Folder, body: &Body) -> Checked {
    for block in body.blocks() {
        let labels: Vec<&str> = block.labels().iter().map(hcl::BlockLabel::as_str).collect();
        if let Some(label) = labels
            .iter()
            .find(|label| !pattern!("^[A-Za-z_][A-Za-z0-9_-]*$").is_match(label))
        {
            return Err(format!("`{label}` is no name"));
        }
        let fresh = match (block.identifier(), labels.as_slice()) {
            ("variable", [name]) => {
                let default = attribute(block, "default");
                let default =
                    default.map(|default| default.evaluate(&Context::new()).unwrap_or(Value::Null));
                folder
                    .variables
                    .insert((*name).to_owned(), default)
                    .is_none()
            }
            ("output", [name]) => folder.outputs.insert((*name).to_owned()),
            ("resource", [kind, name]) => folder.declared.insert(format!("{kind}.{name}")),
            ("data", [kind, name]) => folder.declared.insert(format!("data.{kind}.{name}")),
            ("module", [name]) => folder.declared.insert(format!("module.{name}")),
            ("provider", [name]) => {
                let alias = attribute(block, "alias");
                let alias = alias.and_then(|alias| alias.evaluate(&Context::new()).ok());
                let alias = alias.as_ref().and_then(Value::as_str).unwrap_or_default();
                folder.providers.insert(format!("{name}.{alias}"))
            }
            ("locals", _) => {
                let mut fresh = true;
                for attribute in block.body().attributes() {
                    let expression = attribute.expr().clone();
                    fresh &= folder
                        .locals
                        .insert(attribute.key().to_owned(), expression)
                        .is_none();
                }
                fresh
            }
            _ => true,
        };
        if !fresh {
            return Err(format!(
                "two of {} are called {}",
                block.identifier(),
                labels.join(".")
            ));
        }
    }
    Ok(())
}

fn attribute<'a>(block: &'a Block, name: &str) -> Option<&'a Expression> {
    let mut attributes = block.body().attributes();
    attributes
        .find(|attribute| attribute.key() == name)
        .map(hcl::Attribute::expr)
}

/// Every reference of a file resolves in its folder, and modules are called with what they declare.
fn references(
    folder: &Folder,
    folders: &BTreeMap<String, Folder>,
    path: &str,
    body: &Body,
) -> Checked {
    for block in body.blocks() {
        if matches!(block.identifier(), "terraform" | "provider") {
            continue;
        }
        if block.identifier() == "module" {
            let module = called(folders, path, block)?;
            for attribute in block.body().attributes() {
                let known = module.variables.contains_key(attribute.key());
                let own = [
                    "source",
                    "version",
                    "providers",
                    "count",
                    "for_each",
                    "depends_on",
                ];
                if !known && !own.contains(&attribute.key()) {
                    return Err(format!("the module has no variable {}", attribute.key()));
                }
            }
            for (variable, default) in &module.variables {
                if default.is_none() && attribute(block, variable).is_none() {
                    return Err(format!("a module is called without its {variable}"));
                }
            }
        }
        let mut scope = Scope {
            folder,
            folders,
            path,
            names: PLACES.iter().map(ToString::to_string).collect(),
        };
        scope.body(block.body(), block.identifier() == "variable")?;
    }
    Ok(())
}

/// The folder of the module that `block` calls.
fn called<'a>(
    folders: &'a BTreeMap<String, Folder>,
    path: &str,
    block: &Block,
) -> Result<&'a Folder, String> {
    let source =
        attribute(block, "source").and_then(|source| source.evaluate(&Context::new()).ok());
    let source = source.as_ref().and_then(Value::as_str).unwrap_or_default();
    folders
        .get(&resolve(path, source))
        .ok_or_else(|| format!("there is no module {source}"))
}

/// The names that are known where an expression stands.
struct Scope<'a> {
    folder: &'a Folder,
    folders: &'a BTreeMap<String, Folder>,
    path: &'a str,
    names: Vec<String>,
}

impl Scope<'_> {
    fn body(&mut self, body: &Body, types: bool) -> Checked {
        for structure in body.iter() {
            match structure {
                Structure::Attribute(attribute) => match attribute.key() {
                    "type" if types => {}
                    "ignore_changes" | "providers" => {}
                    "provider" => {
                        let provider = attribute.expr().to_string();
                        if provider.contains('.') && !self.folder.providers.contains(&provider) {
                            return Err(format!("there is no provider {provider}"));
                        }
                    }
                    _ => self.expression(attribute.expr())?,
                },
                Structure::Block(block) => {
                    let before = self.names.len();
                    if block.identifier() == "dynamic" {
                        let iterator = attribute(block, "iterator").map(ToString::to_string);
                        let label = block
                            .labels()
                            .first()
                            .map(|label| label.as_str().to_owned());
                        self.names.extend(iterator.or(label));
                    }
                    self.body(block.body(), types)?;
                    self.names.truncate(before);
                }
            }
        }
        Ok(())
    }

    fn expression(&mut self, expression: &Expression) -> Checked {
        match expression {
            Expression::Array(items) => items.iter().try_for_each(|item| self.expression(item)),
            Expression::Object(object) => object.iter().try_for_each(|(key, value)| {
                if let ObjectKey::Expression(key) = key {
                    self.expression(key)?;
                }
                self.expression(value)
            }),
            Expression::TemplateExpr(template) => {
                let template = Template::from_expr(template).map_err(|error| error.to_string())?;
                self.template(&template)
            }
            Expression::Variable(variable) => self.reference(variable.as_str(), &[]),
            Expression::Traversal(traversal) => self.traversal(traversal),
            Expression::FuncCall(call) => call.args.iter().try_for_each(|one| self.expression(one)),
            Expression::Parenthesis(inner) => self.expression(inner),
            Expression::Conditional(conditional) => {
                self.expression(&conditional.cond_expr)?;
                self.expression(&conditional.true_expr)?;
                self.expression(&conditional.false_expr)
            }
            Expression::Operation(operation) => match operation.as_ref() {
                Operation::Unary(unary) => self.expression(&unary.expr),
                Operation::Binary(binary) => {
                    self.expression(&binary.lhs_expr)?;
                    self.expression(&binary.rhs_expr)
                }
            },
            Expression::ForExpr(each) => {
                self.expression(&each.collection_expr)?;
                let before = self.names.len();
                self.names
                    .extend(each.key_var.iter().map(ToString::to_string));
                self.names.push(each.value_var.to_string());
                for part in [
                    each.key_expr.as_ref(),
                    Some(&each.value_expr),
                    each.cond_expr.as_ref(),
                ] {
                    part.map_or(Ok(()), |part| self.expression(part))?;
                }
                self.names.truncate(before);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn template(&mut self, template: &Template) -> Checked {
        for element in template.elements() {
            match element {
                Element::Literal(_) => {}
                Element::Interpolation(inner) => self.expression(&inner.expr)?,
                Element::Directive(directive) => match directive.as_ref() {
                    Directive::If(choice) => {
                        self.expression(&choice.cond_expr)?;
                        self.template(&choice.true_template)?;
                        if let Some(other) = &choice.false_template {
                            self.template(other)?;
                        }
                    }
                    Directive::For(each) => {
                        self.expression(&each.collection_expr)?;
                        let before = self.names.len();
                        self.names
                            .extend(each.key_var.iter().map(ToString::to_string));
                        self.names.push(each.value_var.to_string());
                        self.template(&each.template)?;
                        self.names.truncate(before);
                    }
                },
            }
        }
        Ok(())
    }

    fn traversal(&mut self, traversal: &Traversal) -> Checked {
        let mut steps = vec![];
        for operator in &traversal.operators {
            match operator {
                TraversalOperator::GetAttr(name) => steps.push(name.as_str()),
                TraversalOperator::Index(index) => {
                    self.expression(index)?;
                    steps.push("[]");
                }
                _ => steps.push("[]"),
            }
        }
        match &traversal.expr {
            Expression::Variable(root) => self.reference(root.as_str(), &steps),
            other => self.expression(other),
        }
    }

    fn reference(&self, root: &str, steps: &[&str]) -> Checked {
        if self.names.iter().any(|name| name == root) {
            return Ok(());
        }
        let folder = self.folder;
        let mut attributes = steps.iter().filter(|step| **step != "[]");
        let (there, name) = match (root, steps) {
            ("var", [name, ..]) => (folder.variables.contains_key(*name), format!("var.{name}")),
            ("local", [name, ..]) => (folder.locals.contains_key(*name), format!("local.{name}")),
            ("data", [kind, name, ..]) => {
                let name = format!("data.{kind}.{name}");
                (folder.declared.contains(&name), name)
            }
            ("module", [name, ..]) => {
                let name = format!("module.{name}");
                let output = attributes.nth(1);
                let exported = output.is_none_or(|output| self.exports(&name, output));
                let told = format!("{name}.{}", output.unwrap_or(&""));
                (folder.declared.contains(&name) && exported, told)
            }
            (kind, [name, ..]) => {
                let name = format!("{kind}.{name}");
                (folder.declared.contains(&name), name)
            }
            (other, []) => (false, other.to_owned()),
        };
        if there {
            Ok(())
        } else {
            Err(format!("{name} is referred to and not there"))
        }
    }

    /// Whether the module has the output.
    fn exports(&self, module: &str, output: &str) -> bool {
        let name = module.trim_start_matches("module.");
        let blocks = self.folder.files.iter().flat_map(|(_, body)| body.blocks());
        let mut calls = blocks.filter(|block| {
            block.identifier() == "module" && block.labels().iter().any(|one| one.as_str() == name)
        });
        calls.all(|block| {
            called(self.folders, self.path, block)
                .is_ok_and(|folder| folder.outputs.contains(output))
        })
    }
}

/// Puts values in as far as they are known before anything is made, and looks at the names that come out.
fn name(
    place: &str,
    folder: &Folder,
    folders: &BTreeMap<String, Folder>,
    passed: BTreeMap<String, Value>,
    names: &mut BTreeSet<(String, String)>,
) -> Checked {
    let mut variables: hcl::Map<String, Value> = hcl::Map::new();
    for (variable, default) in &folder.variables {
        if let Some(value) = passed.get(variable).or(default.as_ref()) {
            variables.insert(variable.clone(), value.clone());
        }
    }
    let mut context = context();
    context.declare_var("var", Value::Object(variables));
    // A local may be made of another.
    let mut locals: hcl::Map<String, Value> = hcl::Map::new();
    for _ in 0..3 {
        for (local, expression) in &folder.locals {
            if let Ok(value) = expression.evaluate(&context) {
                locals.insert(local.clone(), value);
            }
        }
        context.declare_var("local", Value::Object(locals.clone()));
    }
    for (path, body) in &folder.files {
        for block in body.blocks() {
            let labels: Vec<&str> = block.labels().iter().map(hcl::BlockLabel::as_str).collect();
            for each in each(block, &context) {
                let mut inner = context.clone();
                if let Some(each) = each {
                    inner.declare_var("each", each);
                }
                match (block.identifier(), labels.as_slice()) {
                    ("module", [label]) => {
                        let module = called(folders, path, block)?;
                        let attributes = block.body().attributes();
                        let passed = attributes.filter_map(|one| {
                            Some((one.key().to_owned(), one.expr().evaluate(&inner).ok()?))
                        });
                        let place = format!("{place}module.{label}.");
                        name(&place, module, folders, passed.collect(), names)?;
                    }
                    ("resource", [kind, label]) => {
                        for (key, rule) in aws::of_terraform(kind) {
                            let Some(value) = attribute(block, key) else {
                                continue;
                            };
                            let Ok(Value::String(value)) = value.evaluate(&inner) else {
                                continue;
                            };
                            rule.check(&format!("{place}{kind}.{label}.{key}"), &value)?;
                            let inline = *kind == "aws_iam_role_policy";
                            let unique = !inline
                                && !matches!(
                                    key,
                                    "description" | "name_prefix" | "username" | "db_name"
                                );
                            if unique && !names.insert((format!("{kind}.{key}"), value.clone())) {
                                return Err(format!(
                                    "{place}{kind}.{label}: another is called `{value}`"
                                ));
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
    }
    Ok(())
}

/// What `each` is in the block, one by one; once none where the block has no `for_each`, and never where that is not known.
fn each(block: &Block, context: &Context<'_>) -> Vec<Option<Value>> {
    if attribute(block, "count").is_some_and(|count| {
        matches!(count.evaluate(context), Ok(Value::Number(number)) if number.as_u64() == Some(0))
    }) {
        return vec![];
    }
    let Some(every) = attribute(block, "for_each") else {
        return vec![None];
    };
    let pair = |key: Value, value: Value| {
        let pair = [("key".to_owned(), key), ("value".to_owned(), value)];
        Some(Value::Object(pair.into_iter().collect()))
    };
    match every.evaluate(context) {
        Ok(Value::Array(items)) => items
            .into_iter()
            .map(|one| pair(one.clone(), one))
            .collect(),
        Ok(Value::Object(object)) => object
            .into_iter()
            .map(|(key, value)| pair(Value::String(key), value))
            .collect(),
        _ => vec![],
    }
}

/// What is known of the account, and the functions that names are made with.
fn context() -> Context<'static> {
    let mut context = Context::new();
    context.declare_var(
        "data",
        hcl::value!({
            aws_caller_identity = { current = { account_id = "000000000000" } }
            aws_partition = { current = { partition = "aws" } }
            aws_region = { current = { name = "ap-southeast-1", region = "ap-southeast-1" } }
        }),
    );
    let same = |args: FuncArgs| {
        args.into_values()
            .into_iter()
            .next()
            .ok_or_else(|| "no argument".to_owned())
    };
    for name in ["toset", "tolist", "nonsensitive"] {
        let function = FuncDef::builder().param(ParamType::Any).build(same);
        context.declare_func(name, function);
    }
    context
}

#[test]
fn sees_what_is_broken() {
    let root = "variable \"prefix\" {\n  default = \"shop-prod\"\n}\n\
                module \"a\" {\n  source = \"./modules/a\"\n  size = 1\n  prefix = var.prefix\n}\n\
                output \"x\" {\n  value = module.a.arn\n}\n";
    let module = "variable \"size\" {}\nvariable \"prefix\" {}\n\
                  resource \"aws_lb\" \"this\" {\n  for_each = toset([\"a\", \"b\"])\n  name = \"${var.prefix}-${each.key}\"\n}\n\
                  output \"arn\" {\n  value = [for lb in aws_lb.this : lb.arn]\n}\n";
    let check = |root: &str, module: &str| {
        check(&super::reading::set(&[
            ("main.tf", root),
            ("modules/a/main.tf", module),
        ]))
    };
    assert_eq!(check(root, module), Ok(()));
    let long = "x".repeat(32);
    for (from, to, problem) in [
        ("= var.prefix", "= var.prefixes", "var.prefixes is"),
        ("module.a.arn", "module.a.arns", "module.a.arns is"),
        ("  size = 1\n", "", "without its size"),
        (
            "  size = 1\n",
            "  size = 1\n  sizes = 1\n",
            "no variable sizes",
        ),
        ("shop-prod", long.as_str(), "may not be called"),
        (
            "output \"x\"",
            "variable \"prefix\" {}\noutput \"x\"",
            "two of variable",
        ),
    ] {
        let told = check(&root.replacen(from, to, 1), module).unwrap_err();
        assert!(told.contains(problem), "told: {told}");
    }
    for (from, to, problem) in [
        ("in aws_lb.this", "in aws_lb.that", "aws_lb.that is"),
        ("-${each.key}", "", "another is called"),
        ("\"this\"", "\"th is\"", "is no name"),
    ] {
        let told = check(root, &module.replacen(from, to, 1)).unwrap_err();
        assert!(told.contains(problem), "told: {told}");
    }
}
