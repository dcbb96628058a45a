//! One panel: what it shows, of what, in which unit, and where its limits are.

use serde_json::{Value, json};

/// One panel.
#[derive(Debug, Clone)]
pub(super) struct Panel {
    kind: Kind,
    title: String,
    about: String,
    unit: &'static str,
    queries: Vec<Query>,
    /// From which value on which colour; green below.
    limits: Vec<(f64, &'static str)>,
    /// The colour below the first limit.
    base: &'static str,
    range: (Option<f64>, Option<f64>),
    source: Source,
    stacked: bool,
    /// Columns of 24, and rows.
    pub(super) size: (u32, u32),
}

/// How it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Lines,
    Number,
    Gauge,
    Bars,
    Table,
    Logs,
}

/// Whom it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Prometheus,
    Loki,
    CloudWatch,
}

impl Source {
    /// The data source, by the dashboard's variable or by its fixed name.
    pub(super) fn reference(self) -> Value {
        match self {
            Self::Prometheus => json!({ "type": "prometheus", "uid": "${datasource}" }),
            Self::Loki => json!({ "type": "loki", "uid": "loki" }),
            Self::CloudWatch => json!({ "type": "cloudwatch", "uid": "cloudwatch" }),
        }
    }
}

#[derive(Debug, Clone)]
struct Query {
    expr: String,
    legend: String,
    region: String,
}

impl Panel {
    fn new(kind: Kind, title: &str, unit: &'static str, about: &str, size: (u32, u32)) -> Self {
        Self {
            kind,
            title: title.to_owned(),
            about: about.to_owned(),
            unit,
            queries: vec![],
            limits: vec![],
            base: "green",
            range: (Some(0.0), None),
            source: Source::Prometheus,
            stacked: false,
            size,
        }
    }

    /// Lines over time, half of the width.
    pub(super) fn lines(title: &str, unit: &'static str, about: &str) -> Self {
        Self::new(Kind::Lines, title, unit, about, (12, 8))
    }

    /// The newest value as a number.
    pub(super) fn number(title: &str, unit: &'static str, about: &str) -> Self {
        Self::new(Kind::Number, title, unit, about, (4, 4))
    }

    /// The newest value on a scale.
    pub(super) fn gauge(title: &str, unit: &'static str, about: &str) -> Self {
        Self::new(Kind::Gauge, title, unit, about, (6, 6))
    }

    /// The newest values as bars, the largest first.
    pub(super) fn bars(title: &str, unit: &'static str, about: &str) -> Self {
        Self::new(Kind::Bars, title, unit, about, (12, 8))
    }

    /// The newest values as a table of their labels.
    pub(super) fn table(title: &str, unit: &'static str, about: &str) -> Self {
        Self::new(Kind::Table, title, unit, about, (12, 8))
    }

    /// Log lines.
    pub(super) fn logs(title: &str, about: &str) -> Self {
        let panel = Self::new(Kind::Logs, title, "none", about, (24, 10));
        Self {
            source: Source::Loki,
            ..panel
        }
    }

    /// Adds a query with the text of its legend.
    pub(super) fn query(mut self, expr: impl Into<String>, legend: &str) -> Self {
        self.queries.push(Query {
            expr: expr.into(),
            legend: legend.to_owned(),
            region: String::new(),
        });
        self
    }

    /// Asks CloudWatch by a metric expression.
    pub(super) fn cloudwatch(mut self, region: &str, expr: impl Into<String>, label: &str) -> Self {
        self.source = Source::CloudWatch;
        self.queries.push(Query {
            expr: expr.into(),
            legend: label.to_owned(),
            region: region.to_owned(),
        });
        self
    }

    /// Asks Loki.
    pub(super) fn of_logs(mut self) -> Self {
        self.source = Source::Loki;
        self
    }

    /// Above `value` it is bad.
    pub(super) fn bad_above(mut self, value: f64) -> Self {
        self.limits.push((value, "red"));
        self
    }

    /// Above `value` somebody should look.
    pub(super) fn watch_above(mut self, value: f64) -> Self {
        self.limits.push((value, "orange"));
        self
    }

    /// Below `value` it is bad.
    pub(super) fn bad_below(mut self, value: f64) -> Self {
        self.base = "red";
        self.limits.push((value, "green"));
        self
    }

    /// The scale ends here.
    pub(super) fn up_to(mut self, max: f64) -> Self {
        self.range.1 = Some(max);
        self
    }

    /// The scale goes below zero.
    pub(super) fn also_negative(mut self) -> Self {
        self.range.0 = None;
        self
    }

    /// Lines are put on top of each other.
    pub(super) fn stacked(mut self) -> Self {
        self.stacked = true;
        self
    }

    /// So many columns of 24, and rows.
    pub(super) fn sized(mut self, width: u32, height: u32) -> Self {
        self.size = (width, height);
        self
    }

    /// As Grafana reads it.
    pub(super) fn into_json(self, id: u32, x: u32, y: u32) -> Value {
        let mut steps = vec![json!({ "color": self.base, "value": null })];
        steps.extend(
            self.limits
                .iter()
                .map(|(value, color)| json!({ "color": color, "value": value })),
        );
        let mut defaults = json!({
            "unit": self.unit,
            "thresholds": { "mode": "absolute", "steps": steps },
            "color": { "mode": if self.kind == Kind::Lines { "palette-classic" } else { "thresholds" } },
        });
        if let Some(min) = self.range.0 {
            defaults["min"] = json!(min);
        }
        if let Some(max) = self.range.1 {
            defaults["max"] = json!(max);
        }
        if self.kind == Kind::Lines {
            defaults["custom"] = json!({
                "drawStyle": "line",
                "lineWidth": 1,
                "fillOpacity": if self.stacked { 40 } else { 10 },
                "showPoints": "never",
                "spanNulls": false,
                "stacking": { "group": "A", "mode": if self.stacked { "normal" } else { "none" } },
                "thresholdsStyle": { "mode": if self.limits.is_empty() { "off" } else { "dashed" } },
            });
        }
        let options = self.options();
        let (width, height) = self.size;
        let targets: Vec<Value> = ('A'..='Z')
            .zip(&self.queries)
            .map(|(id, query)| self.target(id, query))
            .collect();
        let mut panel = json!({
            "id": id,
            "type": match self.kind {
                Kind::Lines => "timeseries",
                Kind::Number => "stat",
                Kind::Gauge => "gauge",
                Kind::Bars => "bargauge",
                Kind::Table => "table",
                Kind::Logs => "logs",
            },
            "title": self.title,
            "description": self.about,
            "datasource": self.source.reference(),
            "gridPos": { "h": height, "w": width, "x": x, "y": y },
            "fieldConfig": { "defaults": defaults, "overrides": [] },
            "options": options,
            "targets": targets,
        });
        if self.kind == Kind::Table {
            panel["transformations"] = json!([{
                "id": "organize",
                "options": { "excludeByName": { "Time": true, "__name__": true }, "indexByName": {}, "renameByName": {} },
            }]);
        }
        panel
    }

    fn options(&self) -> Value {
        let reduce = json!({ "calcs": ["lastNotNull"], "fields": "", "values": false });
        match self.kind {
            Kind::Lines => json!({
                "legend": { "calcs": ["mean", "max"], "displayMode": "table", "placement": "bottom", "showLegend": true },
                "tooltip": { "mode": "multi", "sort": "desc" },
            }),
            Kind::Number => json!({
                "colorMode": "value",
                "graphMode": "area",
                "justifyMode": "auto",
                "orientation": "auto",
                "reduceOptions": reduce,
                "textMode": "auto",
            }),
            Kind::Gauge => json!({
                "orientation": "auto",
                "reduceOptions": reduce,
                "showThresholdLabels": false,
                "showThresholdMarkers": true,
            }),
            Kind::Bars => json!({
                "displayMode": "basic",
                "orientation": "horizontal",
                "reduceOptions": reduce,
                "showUnfilled": true,
                "valueMode": "color",
            }),
            Kind::Table => json!({ "cellHeight": "sm", "showHeader": true }),
            Kind::Logs => json!({
                "dedupStrategy": "none",
                "enableLogDetails": true,
                "prettifyLogMessage": false,
                "showCommonLabels": false,
                "showLabels": false,
                "showTime": true,
                "sortOrder": "Descending",
                "wrapLogMessage": true,
            }),
        }
    }

    fn target(&self, id: char, query: &Query) -> Value {
        let id = id.to_string();
        // A number, a gauge or a bar is the newest value; only lines ask for all of them.
        let instant = matches!(self.kind, Kind::Gauge | Kind::Bars | Kind::Table);
        match self.source {
            Source::CloudWatch => json!({
                "refId": id,
                "datasource": self.source.reference(),
                "expression": query.expr,
                "label": query.legend,
                "region": query.region,
                "queryMode": "Metrics",
                "metricQueryType": 0,
                "metricEditorMode": 1,
                "namespace": "",
                "metricName": "",
                "dimensions": {},
                "statistic": "Average",
                "period": "",
            }),
            Source::Loki => json!({
                "refId": id,
                "datasource": self.source.reference(),
                "editorMode": "code",
                "expr": query.expr,
                "legendFormat": query.legend,
                "queryType": "range",
            }),
            Source::Prometheus => {
                let mut target = json!({
                    "refId": id,
                    "datasource": self.source.reference(),
                    "editorMode": "code",
                    "expr": query.expr,
                    "legendFormat": query.legend,
                    "instant": instant,
                    "range": !instant,
                });
                if self.kind == Kind::Table {
                    target["format"] = json!("table");
                }
                target
            }
        }
    }
}
