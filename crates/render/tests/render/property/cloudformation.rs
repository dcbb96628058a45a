//! CloudFormation: logical ids, references to parameters, resources and conditions, names that AWS takes.

use serde_json::Value;
use wharf_base::files::FileSet;

use super::aws;
use super::reading::{Checked, document, entries, items, keys, known, pattern, text, texts, walk};

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/pseudo-parameter-reference.html>
const PSEUDO: [&str; 8] = [
    "AWS::AccountId",
    "AWS::NoValue",
    "AWS::NotificationARNs",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
];

pub(super) fn check(files: &FileSet) -> Checked {
    for (path, file) in files {
        if path.ends_with(".yaml") {
            // The short forms as maps, which is what they mean; the reader of YAML drops tags.
            let long = pattern!(r"!(Ref|Condition) ([A-Za-z0-9:]+)")
                .replace_all(&file.text, "{$1: \"$2\"}");
            let long =
                pattern!(r"!GetAtt ([A-Za-z0-9.]+)").replace_all(&long, "{\"Fn::GetAtt\": \"$1\"}");
            let long = pattern!(r#"!Sub ("(?:[^"\\]|\\.)*"|[^\s"|>\[,\]]+)"#)
                .replace_all(&long, "{\"Fn::Sub\": $1}");
            let template = document(path, &long)?;
            check_template(&template).map_err(|problem| format!("{path}: {problem}"))?;
            let parameters = path == "main-template.yaml";
            if let Some(given) = files.get("parameters.json").filter(|_| parameters) {
                let given: Value =
                    serde_json::from_str(&given.text).map_err(|error| error.to_string())?;
                for one in items(&given) {
                    known(
                        "parameter",
                        text(&one["ParameterKey"]),
                        keys(&template["Parameters"]),
                    )?;
                }
            }
        }
    }
    Ok(())
}

fn check_template(template: &Value) -> Checked {
    let sections = [
        "Parameters",
        "Conditions",
        "Resources",
        "Outputs",
        "Mappings",
    ];
    for (section, id) in sections
        .iter()
        .flat_map(|section| keys(&template[section]).map(move |id| (section, id)))
    {
        if !pattern!("^[A-Za-z0-9]{1,255}$").is_match(id) {
            return Err(format!("{section} may not have an id `{id}`"));
        }
    }
    let resources = || keys(&template["Resources"]);
    let values = || {
        keys(&template["Parameters"])
            .chain(resources())
            .chain(PSEUDO)
    };
    let mut problem = Ok(());
    walk(template, &mut |key, value| {
        let found = match (key, value) {
            ("Ref", Value::String(name)) => known("Ref", name, values()),
            ("Fn::GetAtt", Value::String(name)) => known(
                "GetAtt",
                name.split('.').next().unwrap_or_default(),
                resources(),
            ),
            ("Fn::Sub", Value::String(line)) => {
                let names = pattern!(r"\$\{([A-Za-z0-9:.]+)\}").captures_iter(line);
                names.map(|found| found[1].to_owned()).try_for_each(|name| {
                    let name = if name.starts_with("AWS::") {
                        &name
                    } else {
                        name.split('.').next().unwrap_or_default()
                    };
                    known("Sub", name, values())
                })
            }
            ("DependsOn", names) => texts(names)
                .into_iter()
                .try_for_each(|name| known("DependsOn", name, resources())),
            ("Condition", Value::String(name)) => {
                known("Condition", name, keys(&template["Conditions"]))
            }
            _ => Ok(()),
        };
        if problem.is_ok() {
            problem = found;
        }
    });
    problem?;
    let mut names = std::collections::BTreeSet::new();
    for (id, resource) in entries(&template["Resources"]) {
        let kind = text(&resource["Type"]);
        for (property, rule) in aws::of_cloudformation(kind) {
            let Some(name) = name(&resource["Properties"][property], template) else {
                continue;
            };
            rule.check(&format!("{id}.{property}"), &name)?;
            let unique = !property.contains("Description")
                && !matches!(property, "DBName" | "MasterUsername");
            if unique && !names.insert((kind, property, name.clone())) {
                return Err(format!("{id}: another {kind} is called `{name}`"));
            }
        }
    }
    Ok(())
}

/// A name, with what is known of it put in.
fn name(value: &Value, template: &Value) -> Option<String> {
    let parameter = |name: &str| match name {
        "AWS::AccountId" => Some("000000000000".to_owned()),
        "AWS::Region" => Some("ap-southeast-1".to_owned()),
        "AWS::Partition" => Some("aws".to_owned()),
        name => template["Parameters"][name]["Default"]
            .as_str()
            .map(str::to_owned),
    };
    if let Some(literal) = value.as_str() {
        return Some(literal.to_owned());
    }
    if let Some(name) = value["Ref"].as_str() {
        return parameter(name);
    }
    let line = value["Fn::Sub"].as_str()?;
    let mut name = line.to_owned();
    for found in pattern!(r"\$\{([A-Za-z0-9:.]+)\}").captures_iter(line) {
        name = name.replace(&found[0], &parameter(&found[1])?);
    }
    Some(name)
}

#[test]
fn sees_what_is_broken() {
    let whole = "Parameters:\n  Size:\n    Type: String\nConditions:\n  Big: !Equals [!Ref Size, big]\n\
                 Resources:\n  Balancer:\n    Type: AWS::ElasticLoadBalancingV2::LoadBalancer\n    Condition: Big\n\
                 \x20   DependsOn: Other\n    Properties:\n      Name: shop\n      Zone: !GetAtt Other.Zone\n\
                 \x20     Tag: !Sub \"${AWS::Region}-${Size}\"\n  Other:\n    Type: X\n";
    super::reading::proves(
        check,
        "a.yaml",
        whole,
        &[
            ("!Ref Size", "!Ref Sizes", "Ref `Sizes`"),
            ("GetAtt Other", "GetAtt Others", "GetAtt `Others`"),
            ("${Size}", "${Sizes}", "Sub `Sizes`"),
            (
                "DependsOn: Other",
                "DependsOn: [Balancer, Others]",
                "DependsOn `Others`",
            ),
            ("Condition: Big", "Condition: Small", "Condition `Small`"),
            ("  Other:", "  Oth-er:", "an id `Oth-er`"),
            ("Name: shop", "Name: shop_1", "may not be called `shop_1`"),
        ],
    );
}
