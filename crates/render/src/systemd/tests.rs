use super::*;

fn plan(text: &str, environment: Option<&str>) -> Plan {
    let (plan, diagnostics) = wharf_plan::resolve(text.as_bytes(), environment);
    plan.unwrap_or_else(|| panic!("{diagnostics:?}"))
}

fn unit(text: &str, name: &str) -> String {
    let plan = plan(text, None);
    let machine = Machine::new(&plan);
    let mut units = units(&machine).into_iter();
    units.find(|unit| unit.name == name).expect("there").text
}

#[test]
fn a_program_of_the_machine_is_started_without_a_shell() {
    let text = "name: a\nservices: { w: { command: [/usr/bin/env, '100%', '$A'], port: 80 } }\n";
    let unit = unit(text, "a-w.service");
    assert!(unit.contains("ExecStart=/usr/bin/env 100%% $A\n"), "{unit}");
    assert!(unit.contains("Type=exec\n"));
}

#[test]
fn what_needs_a_shell_gets_one() {
    let text = "name: a\nservices: { w: { command: 'x \"a b\" | y', port: 80 } }\n";
    let unit = unit(text, "a-w.service");
    assert!(
        unit.contains(r#"ExecStart=/bin/sh -c "x \"a b\" | y""#),
        "{unit}"
    );
}

#[test]
fn replicas_without_a_port_are_instances() {
    let text = "name: a\nservices: { w: { command: [w], replicas: 2 } }\n";
    assert!(unit(text, "a-w@.service").contains("replica %i"));
    assert!(unit(text, "a.target").contains("Wants=a-w@1.service\nWants=a-w@2.service\n"));
}
