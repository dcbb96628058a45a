use super::*;

const EXAMPLE: &[u8] = include_bytes!("../../../../examples/django-ec2/wharf.yaml");

fn plan() -> Plan {
    let (plan, diagnostics) = wharf_plan::resolve(EXAMPLE, Some("production"));
    plan.unwrap_or_else(|| panic!("{diagnostics:?}"))
}

#[test]
fn the_script_fits_and_says_everything() {
    let script = script(&plan()).expect("a group");
    assert!(script.len() < LIMIT, "{} bytes", script.len());
    for fact in [
        "https://github.com/example/django-app.git",
        "gunicorn shop.wsgi:application --workers 3",
        "server 127.0.0.1:8000",
        "listen 80",
        "/DjangoApp/rds_endpoint",
        "/aws/ec2/django-app",
        "http://127.0.0.1/health",
        "manage.py migrate --noinput",
    ] {
        assert!(script.contains(fact), "{fact}");
    }
}

#[test]
fn machines_migrate_one_after_the_other() {
    let plan = plan();
    let service = plan.services.values().next().expect("one");
    assert_eq!(lock(&plan, service), Some("DATABASE_URL"));
}
