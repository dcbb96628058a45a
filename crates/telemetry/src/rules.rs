//! Evaluates rule groups and tells of alerts.
