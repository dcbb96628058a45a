use serde_json::json;

use super::{class, python};

#[test]
fn values_are_those_of_python() {
    let value = json!({ "a": [true, null, 1.5, "it's"] });
    assert_eq!(python(&value), r#"{"a": [True, None, 1.5, "it's"]}"#);
}

#[test]
fn a_class_begins_with_a_letter() {
    assert_eq!(class("peak-hour"), "PeakHour");
    assert_eq!(class("9am"), "Load9am");
}
