//! A root and its modules: what each takes, makes and gives, and where a value comes from.
//!
//! An argument of a module is either a knob, which the root passes on from a variable of its own whose default is what the
//! plan says, or an expression over other modules. Both sides are written from the same place, so that no variable is
//! unused, untyped or undescribed, and the examples of values are those of the plan.

use super::hcl::{Value, format, quote};

/// What the root calls.
#[derive(Debug, Clone)]
pub(super) struct Module {
    /// Its folder under `modules/`.
    pub(super) folder: &'static str,
    /// What the root calls it.
    pub(super) name: String,
    /// What it is for, one sentence.
    pub(super) about: &'static str,
    /// Its files of resources: name and text.
    pub(super) files: Vec<(&'static str, String)>,
    /// What it takes.
    pub(super) arguments: Vec<Argument>,
    /// What it gives.
    pub(super) outputs: Vec<Output>,
    /// Providers beside AWS: `random`, `archive`, `tls`.
    pub(super) providers: &'static [&'static str],
    /// Which AWS provider of the root it uses; none: the default one.
    pub(super) region: Option<&'static str>,
    /// The root's switch for it: a variable that holds a truth value.
    pub(super) switch: Option<Switch>,
}

/// Something that can be turned off.
#[derive(Debug, Clone)]
pub(super) struct Switch {
    /// The variable of the root.
    pub(super) name: &'static str,
    /// What it turns on.
    pub(super) about: &'static str,
    /// What the plan says.
    pub(super) on: bool,
}

impl Module {
    pub(super) fn new(folder: &'static str, about: &'static str) -> Self {
        Self {
            folder,
            name: folder.to_owned(),
            about,
            files: vec![],
            arguments: vec![],
            outputs: vec![],
            providers: &[],
            region: None,
            switch: None,
        }
    }

    pub(super) fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    pub(super) fn file(mut self, name: &'static str, text: String) -> Self {
        self.files.push((name, text));
        self
    }

    pub(super) fn takes(mut self, arguments: impl IntoIterator<Item = Argument>) -> Self {
        self.arguments.extend(arguments);
        self
    }

    pub(super) fn gives(mut self, outputs: impl IntoIterator<Item = Output>) -> Self {
        self.outputs.extend(outputs);
        self
    }

    pub(super) fn providers(mut self, providers: &'static [&'static str]) -> Self {
        self.providers = providers;
        self
    }

    pub(super) fn switch(mut self, name: &'static str, about: &'static str, on: bool) -> Self {
        self.switch = Some(Switch { name, about, on });
        self
    }
}

/// What a module takes.
#[derive(Debug, Clone)]
pub(super) struct Argument {
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) about: String,
    pub(super) check: Option<Check>,
    pub(super) source: Source,
}

/// Where the root has an argument from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// A variable of the root, and its default.
    Knob { variable: String, default: Value },
    /// An expression; the value is an example of what comes out.
    Code { code: String, example: Value },
}

/// What a value has to be like.
#[derive(Debug, Clone)]
pub(super) struct Check {
    /// An expression over `var.NAME`, where the name is written `<it>`.
    pub(super) condition: String,
    /// What is said if it does not hold: a sentence.
    pub(super) message: String,
}

/// Begins an argument: its name, type and description.
pub(super) fn argument(
    name: impl Into<String>,
    kind: &'static str,
    about: impl Into<String>,
) -> Argument {
    let name = name.into();
    Argument {
        source: Source::Knob {
            variable: name.clone(),
            default: Value::Null,
        },
        name,
        kind,
        about: about.into(),
        check: None,
    }
}

impl Argument {
    /// It comes from a variable of the root of the same name.
    pub(super) fn is(mut self, default: impl Into<Value>) -> Self {
        self.source = Source::Knob {
            variable: self.name.clone(),
            default: default.into(),
        };
        self
    }

    /// It comes from a variable of the root of another name.
    pub(super) fn knob(mut self, variable: impl Into<String>, default: impl Into<Value>) -> Self {
        self.source = Source::Knob {
            variable: variable.into(),
            default: default.into(),
        };
        self
    }

    /// It is an expression.
    pub(super) fn code(mut self, code: impl Into<String>, example: impl Into<Value>) -> Self {
        self.source = Source::Code {
            code: code.into(),
            example: example.into(),
        };
        self
    }

    /// It has to satisfy `condition`, in which `<it>` stands for it.
    pub(super) fn check(
        mut self,
        condition: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        self.check = Some(Check {
            condition: condition.into(),
            message: message.into(),
        });
        self
    }

    /// It has to be one of these.
    pub(super) fn one_of(self, values: &[&str]) -> Self {
        let list: Vec<String> = values.iter().map(|value| quote(value)).collect();
        let about = format!("One of {}.", values.join(", "));
        self.check(format!("contains([{}], <it>)", list.join(", ")), about)
    }

    /// It has to be a range of addresses.
    pub(super) fn cidr(self) -> Self {
        self.check(
            "can(cidrhost(<it>, 0))",
            "A range of IPv4 addresses such as 10.0.0.0/16.",
        )
    }

    /// Each has to be a range of addresses.
    pub(super) fn cidrs(self) -> Self {
        self.check(
            "alltrue([for cidr in <it> : can(cidrhost(cidr, 0))])",
            "Ranges of IPv4 addresses such as 10.0.1.0/24.",
        )
    }

    /// It has to match `pattern`.
    pub(super) fn matches(self, pattern: &str, message: impl Into<String>) -> Self {
        self.check(format!("can(regex({}, <it>))", quote(pattern)), message)
    }

    /// It has to match `pattern`, or not be there.
    pub(super) fn matches_or_null(self, pattern: &str, message: impl Into<String>) -> Self {
        self.check(
            format!("<it> == null || can(regex({}, <it>))", quote(pattern)),
            message,
        )
    }

    /// It has to lie between both, which count.
    pub(super) fn between(self, low: u64, high: u64) -> Self {
        self.check(
            format!("<it> >= {low} && <it> <= {high}"),
            format!("Between {low} and {high}."),
        )
    }

    fn example(&self) -> &Value {
        match &self.source {
            Source::Knob { default, .. } => default,
            Source::Code { example, .. } => example,
        }
    }

    fn passed(&self) -> String {
        match &self.source {
            Source::Knob { variable, .. } => format!("var.{variable}"),
            Source::Code { code, .. } => code.clone(),
        }
    }
}

/// What a module gives.
#[derive(Debug, Clone)]
pub(super) struct Output {
    pub(super) name: String,
    pub(super) about: String,
    pub(super) code: String,
    /// What has to be there before it is of use.
    pub(super) after: Vec<&'static str>,
    /// What the root gives it out as; none: it is for other modules only.
    pub(super) public: Option<String>,
}

/// What a module gives to others.
pub(super) fn output(
    name: impl Into<String>,
    about: impl Into<String>,
    code: impl Into<String>,
) -> Output {
    Output {
        name: name.into(),
        about: about.into(),
        code: code.into(),
        after: vec![],
        public: None,
    }
}

impl Output {
    /// It is of no use before these resources are there.
    pub(super) fn after(mut self, resources: &[&'static str]) -> Self {
        self.after.extend(resources);
        self
    }

    /// The root gives it out too.
    pub(super) fn public(mut self) -> Self {
        self.public = Some(self.name.clone());
        self
    }

    /// The root gives it out under another name.
    pub(super) fn public_as(mut self, name: impl Into<String>) -> Self {
        self.public = Some(name.into());
        self
    }
}

/// A variable as it stands in `variables.tf`.
pub(super) struct Variable<'a> {
    pub(super) name: &'a str,
    pub(super) kind: &'a str,
    pub(super) about: &'a str,
    pub(super) default: Option<&'a Value>,
    pub(super) check: Option<&'a Check>,
}

impl Variable<'_> {
    pub(super) fn source(&self) -> String {
        let mut text = format!(
            "variable {} {{\ndescription = {}\ntype = {}\n",
            quote(self.name),
            quote(self.about),
            self.kind
        );
        if let Some(default) = self.default {
            text.push_str(&format!("default = {}\n", default.source()));
        }
        if let Some(check) = self.check {
            let condition = check
                .condition
                .replace("<it>", &format!("var.{}", self.name));
            text.push_str(&format!(
                "\nvalidation {{\ncondition = {condition}\nerror_message = {}\n}}\n",
                quote(&check.message)
            ));
        }
        text + "}\n\n"
    }
}

impl Module {
    /// `variables.tf`.
    pub(super) fn variables(&self) -> String {
        let variables = self.arguments.iter().map(|argument| {
            let variable = Variable {
                name: &argument.name,
                kind: argument.kind,
                about: &argument.about,
                default: None,
                check: argument.check.as_ref(),
            };
            variable.source()
        });
        format(&variables.collect::<String>())
    }

    /// `outputs.tf`.
    pub(super) fn outputs(&self) -> String {
        let outputs = self
            .outputs
            .iter()
            .map(|output| output_source(&output.name, &output.about, &output.code, &output.after));
        format(&outputs.collect::<String>())
    }

    /// `terraform.tfvars.example`.
    pub(super) fn example(&self) -> String {
        let lines = self
            .arguments
            .iter()
            .map(|argument| format!("{} = {}\n", argument.name, argument.example().source()));
        format(&lines.collect::<String>())
    }

    /// The call in the root.
    pub(super) fn call(&self) -> String {
        let mut text = format!(
            "module {} {{\nsource = \"./modules/{}\"\n",
            quote(&self.name),
            self.folder
        );
        if let Some(switch) = &self.switch {
            text.push_str(&format!("count = var.{} ? 1 : 0\n", switch.name));
        }
        if let Some(region) = self.region {
            text.push_str(&format!("\nproviders = {{\naws = aws.{region}\n}}\n"));
        }
        text.push('\n');
        for argument in &self.arguments {
            text.push_str(&format!("{} = {}\n", argument.name, argument.passed()));
        }
        text + "}\n\n"
    }
}

/// An output as it stands in `outputs.tf`.
pub(super) fn output_source(name: &str, about: &str, code: &str, after: &[&str]) -> String {
    let after = match after {
        [] => String::new(),
        after => format!("\ndepends_on = [{}]\n", after.join(", ")),
    };
    format!(
        "output {} {{\ndescription = {}\nvalue = {code}\n{after}}}\n\n",
        quote(name),
        quote(about)
    )
}
