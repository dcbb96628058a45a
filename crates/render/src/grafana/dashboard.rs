//! A dashboard: rows of panels, and the variables above them.

use serde_json::{Value, json};
use wharf_plan::model::Plan;

use super::panel::{Panel, Source};
use crate::names;

/// The matchers of most queries: what is chosen above the panels.
pub(super) const CHOSEN: &str = "namespace=\"$namespace\", service=~\"$service\"";

/// The columns of a dashboard.
const COLUMNS: u32 = 24;

/// One dashboard.
#[derive(Debug)]
pub(super) struct Dashboard {
    /// Its file, and the end of its identifier.
    pub(super) file: &'static str,
    /// Its title.
    pub(super) title: &'static str,
    /// What it shows, in one sentence.
    pub(super) about: &'static str,
    rows: Vec<(String, Vec<Panel>)>,
    variables: Vec<Value>,
    since: &'static str,
}

impl Dashboard {
    /// An empty one, with the choice of the data source.
    pub(super) fn new(file: &'static str, title: &'static str, about: &'static str) -> Self {
        Self {
            file,
            title,
            about,
            rows: vec![],
            variables: vec![json!({
                "name": "datasource",
                "label": "Data source",
                "type": "datasource",
                "query": "prometheus",
                "current": { "text": "Prometheus", "value": "prometheus" },
                "hide": 0,
                "includeAll": false,
                "multi": false,
                "refresh": 1,
            })],
            since: "now-6h",
        }
    }

    /// Shows the time since `since`, unless somebody chooses another.
    pub(super) fn since(mut self, since: &'static str) -> Self {
        self.since = since;
        self
    }

    /// Adds the choice of a namespace, of those that `series` has; the plan's at first.
    pub(super) fn by_namespace(mut self, series: &str, namespace: &str) -> Self {
        let mut variable = choice(
            "namespace",
            "Namespace",
            &format!("label_values({series}, namespace)"),
            false,
        );
        variable["current"] = json!({ "text": namespace, "value": namespace });
        self.variables.push(variable);
        self
    }

    /// Adds a choice of several among the values of `label` of `series`; all at first.
    pub(super) fn by(mut self, name: &str, title: &str, series: &str, label: &str) -> Self {
        let query = format!("label_values({series}, {label})");
        self.variables.push(choice(name, title, &query, true));
        self
    }

    /// Adds a text that somebody types.
    pub(super) fn typed(mut self, name: &str, title: &str) -> Self {
        self.variables.push(json!({
            "name": name,
            "label": title,
            "type": "textbox",
            "query": "",
            "current": { "text": "", "value": "" },
            "hide": 0,
        }));
        self
    }

    /// Adds a row, if it has a panel.
    pub(super) fn row(mut self, title: &str, panels: Vec<Panel>) -> Self {
        if !panels.is_empty() {
            self.rows.push((title.to_owned(), panels));
        }
        self
    }

    /// As Grafana reads it.
    pub(super) fn into_json(self, plan: &Plan) -> Value {
        let mut panels = vec![];
        let (mut id, mut top) = (1, 0);
        for (title, row) in self.rows {
            panels.push(json!({
                "id": id,
                "type": "row",
                "title": title,
                "collapsed": false,
                "gridPos": { "h": 1, "w": COLUMNS, "x": 0, "y": top },
                "panels": [],
            }));
            (id, top) = (id + 1, top + 1);
            let (mut left, mut height) = (0, 0);
            for panel in row {
                let size = panel.size;
                if left + size.0 > COLUMNS {
                    (left, top) = (0, top + height);
                    height = 0;
                }
                panels.push(panel.into_json(id, left, top));
                (id, left, height) = (id + 1, left + size.0, height.max(size.1));
            }
            top += height;
        }
        // An identifier has 40 characters at most, and never changes.
        let uid = names::dns_label(&format!("{}-{}", plan.name, self.file), 40);
        json!({
            "uid": uid,
            "title": format!("{}: {}", plan.name, self.title),
            "description": format!("{} {}", self.about, crate::header(plan)),
            "tags": ["wharf", plan.name.as_str()],
            "timezone": "browser",
            "editable": false,
            "graphTooltip": 1,
            "refresh": "30s",
            "schemaVersion": 38,
            "time": { "from": self.since, "to": "now" },
            "timepicker": {},
            "templating": { "list": self.variables },
            "annotations": { "list": [alerts()] },
            "links": [{
                "title": "Dashboards",
                "type": "dashboards",
                "tags": ["wharf", plan.name.as_str()],
                "icon": "external link",
                "tooltip": "The other dashboards of the project",
                "url": "",
                "asDropdown": true,
                "includeVars": true,
                "keepTime": true,
                "targetBlank": false,
            }],
            "panels": panels,
        })
    }
}

/// Grafana's own annotations, as every dashboard has them.
fn alerts() -> Value {
    json!({
        "builtIn": 1,
        "datasource": { "type": "grafana", "uid": "-- Grafana --" },
        "enable": true,
        "hide": true,
        "iconColor": "rgba(0, 211, 255, 1)",
        "name": "Annotations & Alerts",
        "type": "dashboard",
    })
}

fn choice(name: &str, title: &str, query: &str, several: bool) -> Value {
    let mut variable = json!({
        "name": name,
        "label": title,
        "type": "query",
        "datasource": Source::Prometheus.reference(),
        "query": { "query": query, "refId": "Variable" },
        "hide": 0,
        "includeAll": several,
        "multi": several,
        "refresh": 2,
        "sort": 1,
    });
    if several {
        variable["current"] = json!({ "text": ["All"], "value": ["$__all"] });
        variable["allValue"] = json!(".+");
    }
    variable
}
