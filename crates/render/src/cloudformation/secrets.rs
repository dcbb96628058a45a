//! Secrets, their rotation, and what machines ask for when they boot.

use std::collections::BTreeMap;

use wharf_base::ids::Name;
use wharf_plan::model::{ParameterValue, Secret, StoreEngine};

use super::stack::{Stack, allow, attribute, id, kept, policy, reference, sub, trusts};
use super::{Source, data, watch};
use crate::machine::{endpoint_parameter, revision_parameter, secret_parameter};
use crate::yaml::Yaml;
use crate::{list, map};

pub(super) fn add(source: Source<'_>, stack: &mut Stack) {
    for (key, (name, secret)) in by_key(source) {
        let mut properties = map! { "Name" => key };
        properties.set_some("Description", secret.description.as_deref());
        if let Some(length) = secret.generate {
            let mut generated = map! {};
            if let Some(property) = &secret.property {
                generated.set("SecretStringTemplate", "{}");
                generated.set("GenerateStringKey", property.as_str());
            }
            generated.set("PasswordLength", length);
            generated.set("ExcludePunctuation", true);
            properties.set("GenerateSecretString", generated);
        }
        stack.add_with(
            "",
            &id("Secret", name.as_str()),
            "AWS::SecretsManager::Secret",
            kept(),
            properties,
        );
    }
    rotation(source, stack);
    parameters(source, stack);
}

/// The secrets of the plan, each key once, with the first that has it.
fn by_key(source: Source<'_>) -> BTreeMap<&str, (&Name, &Secret)> {
    let mut keys = BTreeMap::new();
    for (name, secret) in &source.plan.secrets {
        keys.entry(secret.key.as_str()).or_insert((name, secret));
    }
    keys
}

fn rotation(source: Source<'_>, stack: &mut Stack) {
    let rotated: Vec<(&Name, u64)> = by_key(source)
        .into_values()
        .filter(|(_, secret)| secret.generate.is_some())
        .filter_map(|(name, secret)| {
            let days = secret.rotate?.as_secs() / 86_400;
            // Secrets Manager takes 1 to 1,000 days.
            Some((name, days.clamp(1, 1000)))
        })
        .collect();
    if rotated.is_empty() {
        return;
    }
    let function = source.name("rotate");
    let function = crate::names::dns_label(&function, 64);
    watch::log_group(
        source,
        stack,
        "RotationLogGroup",
        &format!("/aws/lambda/{function}"),
    );
    let secrets: Vec<Yaml> = rotated
        .iter()
        .map(|(name, _)| reference(&id("Secret", name.as_str())))
        .collect();
    stack.add(
        "RotationRole",
        "AWS::IAM::Role",
        map! {
            "RoleName" => crate::names::dns_label(&source.name("rotate"), 64),
            "AssumeRolePolicyDocument" => trusts("lambda.amazonaws.com"),
            "Policies" => list![map! {
                "PolicyName" => "rotate",
                "PolicyDocument" => policy(vec![
                    allow(
                        "Rotate",
                        &[
                            "secretsmanager:DescribeSecret",
                            "secretsmanager:GetSecretValue",
                            "secretsmanager:PutSecretValue",
                            "secretsmanager:UpdateSecretVersionStage",
                        ],
                        secrets,
                    ),
                    allow(
                        "Log",
                        &["logs:CreateLogStream", "logs:PutLogEvents"],
                        list![attribute("RotationLogGroup.Arn")],
                    ),
                ]),
            }],
        },
    );
    stack.add_with(
        "Replaces a secret by a random text of the same length; the machines notice within a minute.",
        "RotationFunction",
        "AWS::Lambda::Function",
        map! { "DependsOn" => "RotationLogGroup" },
        map! {
            "FunctionName" => function,
            "Description" => format!("Rotates the secrets of {}", source.plan.name),
            "Runtime" => "python3.13",
            "Handler" => "index.handler",
            "Role" => attribute("RotationRole.Arn"),
            "Timeout" => 30,
            "Code" => map! { "ZipFile" => include_str!("rotate.py") },
        },
    );
    stack.add(
        "RotationPermission",
        "AWS::Lambda::Permission",
        map! {
            "FunctionName" => reference("RotationFunction"),
            "Action" => "lambda:InvokeFunction",
            "Principal" => "secretsmanager.amazonaws.com",
            "SourceAccount" => reference("AWS::AccountId"),
        },
    );
    for (name, days) in rotated {
        stack.add_with(
            "",
            &id("Rotation", name.as_str()),
            "AWS::SecretsManager::RotationSchedule",
            map! { "DependsOn" => "RotationPermission" },
            map! {
                "SecretId" => reference(&id("Secret", name.as_str())),
                "RotationLambdaARN" => attribute("RotationFunction.Arn"),
                "RotateImmediatelyOnUpdate" => false,
                "RotationRules" => map! { "AutomaticallyAfterDays" => i64::try_from(days).unwrap_or(90) },
            },
        );
    }
}

/// What machines ask for when they boot, and what else the file names.
fn parameters(source: Source<'_>, stack: &mut Stack) {
    let mut values: BTreeMap<String, (String, Yaml)> = BTreeMap::new();
    for engine in [StoreEngine::Postgres, StoreEngine::Redis] {
        for (name, _) in data::stores(source, engine) {
            let server = data::server_id(name, engine);
            let (host, secret) = match engine {
                StoreEngine::Postgres => (
                    attribute(&format!("{server}.Endpoint.Address")),
                    attribute(&format!("{server}.MasterUserSecret.SecretArn")),
                ),
                StoreEngine::Redis => (
                    attribute(&format!("{server}.PrimaryEndPoint.Address")),
                    reference(&format!("{server}Secret")),
                ),
            };
            let endpoint = endpoint_parameter(source.cloud, name);
            values.insert(endpoint, (format!("The address of {name}"), host));
            let parameter = secret_parameter(source.cloud, name);
            values.insert(parameter, (format!("Which secret {name} has"), secret));
        }
    }
    for (name, value) in &source.cloud.parameters {
        if let ParameterValue::Text(text) = value {
            values.insert(
                name.clone(),
                ("Of the file".to_owned(), text.as_str().into()),
            );
        }
    }
    for (name, (description, value)) in values {
        stack.add(
            &id(
                "Parameter",
                &name.trim_matches('/').replace(['/', '_', '.'], "-"),
            ),
            "AWS::SSM::Parameter",
            map! {
                "Name" => name,
                "Type" => "String",
                "Description" => description,
                "Value" => value,
            },
        );
    }
}

/// What the machines may read.
pub(super) fn statements(source: Source<'_>) -> Vec<crate::yaml::Map> {
    let parameter = |name: &str| {
        sub(&format!(
            "arn:${{AWS::Partition}}:ssm:${{AWS::Region}}:${{AWS::AccountId}}:parameter{name}"
        ))
    };
    let mut parameters = vec![parameter(&revision_parameter(source.plan))];
    let mut secrets: Vec<Yaml> = by_key(source)
        .into_values()
        .map(|(name, _)| reference(&id("Secret", name.as_str())))
        .collect();
    for engine in [StoreEngine::Postgres, StoreEngine::Redis] {
        for (name, _) in data::stores(source, engine) {
            parameters.push(parameter(&endpoint_parameter(source.cloud, name)));
            parameters.push(parameter(&secret_parameter(source.cloud, name)));
            let server = data::server_id(name, engine);
            secrets.push(match engine {
                StoreEngine::Postgres => attribute(&format!("{server}.MasterUserSecret.SecretArn")),
                StoreEngine::Redis => reference(&format!("{server}Secret")),
            });
        }
    }
    let mut statements = vec![allow("ReadParameters", &["ssm:GetParameter"], parameters)];
    if !secrets.is_empty() {
        statements.push(allow(
            "ReadSecrets",
            &["secretsmanager:GetSecretValue"],
            secrets,
        ));
    }
    statements
}
