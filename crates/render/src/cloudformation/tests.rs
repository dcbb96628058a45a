use super::*;

const EXAMPLE: &[u8] = include_bytes!("../../../../examples/django-ec2/wharf.yaml");

fn files() -> Rendered {
    files_of(EXAMPLE)
}

fn files_of(file: &[u8]) -> Rendered {
    let resolve = |environment| {
        let (plan, diagnostics) = wharf_plan::resolve(file, environment);
        plan.unwrap_or_else(|| panic!("{diagnostics:?}"))
    };
    let (base, plan) = (resolve(None), resolve(Some("production")));
    let input = Input {
        plan: &plan,
        base: &base,
        environments: &std::collections::BTreeMap::new(),
    };
    TARGET.render(&input)
}

#[test]
fn the_template_has_what_the_file_says() {
    let rendered = files();
    let template = &rendered
        .files
        .get("main-template.yaml")
        .expect("there")
        .text;
    for fact in [
        "CidrBlock: 10.0.0.0/16",
        "CidrBlock: 10.0.21.0/24",
        "DBInstanceIdentifier: production-django-postgres",
        "EngineVersion: \"16.4\"",
        "${Environment}-django-static-${AWS::AccountId}",
        "HealthCheckGracePeriod: 300",
        "TargetValue: 70.0",
        "Name: /DjangoApp/rds_endpoint",
        "ALBDNSName:",
        "DeletionPolicy: Retain",
        "LogGroupName: /aws/vpc/flowlogs",
    ] {
        assert!(template.contains(fact), "{fact}");
    }
    let values = &rendered.files.get("parameters.json").expect("there").text;
    for value in ["production", "t2.micro", "db.t3.micro"] {
        assert!(
            values.contains(&format!("\"ParameterValue\": \"{value}\"")),
            "{value}"
        );
    }
}

#[test]
fn logical_ids_stay_apart() {
    assert_eq!(stack::id("Store", "db"), "StoreDb");
    assert_eq!(stack::id("Store", "a-b"), "StoreAB");
    assert_ne!(stack::id("Store", "a-1"), stack::id("Store", "a1"));
}

#[test]
fn a_sticky_path_is_sticky_to_a_machine() {
    let text = std::str::from_utf8(EXAMPLE).expect("text");
    let sticky = text.replace(
        "paths: { /: web }",
        "paths: { /: { service: web, sticky: true } }",
    );
    let template = |file: &str| {
        let rendered = files_of(file.as_bytes());
        let template = rendered.files.get("main-template.yaml").expect("there");
        template.text.contains("stickiness.type")
    };
    assert!(template(&sticky) && !template(text));
}
