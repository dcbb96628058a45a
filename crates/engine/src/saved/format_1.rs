//! Format 1 -> 2: plans had no clusters, clouds, secrets and pipelines. What a release of then does not say is what a file
//! that does not say it means now.

use serde_json::{Map, Value, json};

/// A release of format 1 as format 2 has it.
pub(super) fn release(mut release: Value) -> Value {
    if let Some(plan) = release.get_mut("plan").and_then(Value::as_object_mut) {
        upgrade(plan);
    }
    release
}

fn upgrade(plan: &mut Map<String, Value>) {
    let name = plan.get("name").and_then(Value::as_str).unwrap_or("app");
    let file = format!(
        "name: {name}\nservices: {{ a: {{ command: a }} }}\nstores: {{ b: {{ engine: redis }} }}\n"
    );
    let silent = wharf_plan::resolve(file.as_bytes(), None).0;
    let silent = silent.and_then(|plan| serde_json::to_value(plan).ok());
    let Some(Value::Object(silent)) = silent else {
        return;
    };
    for (section, member) in [("services", "a"), ("stores", "b")] {
        let said = plan.get_mut(section).and_then(Value::as_object_mut);
        for member_said in said.into_iter().flat_map(Map::values_mut) {
            if let Some(member_said) = member_said.as_object_mut() {
                fill(member_said, &silent[section][member]);
                let volumes = member_said.get_mut("volumes").and_then(Value::as_array_mut);
                for volume in volumes.into_iter().flatten() {
                    if let Some(volume) = volume.as_object_mut() {
                        fill(volume, &json!({ "shared": false, "class": null }));
                    }
                }
            }
        }
    }
    fill(plan, &Value::Object(silent));
}

/// Adds what is missing.
fn fill(said: &mut Map<String, Value>, silent: &Value) {
    for (key, value) in silent.as_object().into_iter().flatten() {
        said.entry(key.clone()).or_insert_with(|| value.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_plan_is_what_its_file_means_now() {
        let file = "name: shop\nservices: { web: { command: ./web, port: 80, volumes: [\"media:/media\"] } }\nstores: { db: { engine: postgres } }\n";
        let now = wharf_plan::resolve(file.as_bytes(), None).0.unwrap();
        let mut then = serde_json::to_value(&now).unwrap();
        let plan = then.as_object_mut().unwrap();
        plan.retain(|key, _| {
            [
                "name",
                "environment",
                "services",
                "stores",
                "routes",
                "patches",
                "extensions",
            ]
            .contains(&key.as_str())
        });
        let web = plan["services"]["web"].as_object_mut().unwrap();
        for key in [
            "scale",
            "expose",
            "calls",
            "buckets",
            "writable",
            "static_files",
            "api",
        ] {
            web.remove(key).unwrap();
        }
        for key in ["shared", "class"] {
            web["volumes"][0]
                .as_object_mut()
                .unwrap()
                .remove(key)
                .unwrap();
        }
        let db = plan["stores"]["db"].as_object_mut().unwrap();
        for key in ["resources", "storage_class", "backup_volume", "pool"] {
            db.remove(key).unwrap();
        }
        let upgraded = release(json!({ "id": "r1", "plan": then }));
        let read: wharf_plan::model::Plan =
            serde_json::from_value(upgraded["plan"].clone()).unwrap();
        assert_eq!(read, now);
    }
}
