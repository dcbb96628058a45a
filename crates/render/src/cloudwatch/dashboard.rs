//! The body of the dashboard: widgets that search, so that nothing has to be known before it is made.

use serde_json::{Value, json};
use wharf_plan::model::{Cloud, Compute, Plan, StoreEngine, StoresBy};

use crate::machine;

/// One graph: its title, the searches with the label of each, and a line where its limit is.
struct Graph {
    title: String,
    searches: Vec<(String, &'static str)>,
    limit: Option<(f64, String)>,
    region: String,
}

impl Graph {
    fn new(cloud: &Cloud, title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            searches: vec![],
            limit: None,
            region: cloud.region.clone(),
        }
    }

    fn search(mut self, schema: &str, terms: &str, statistic: &str, label: &'static str) -> Self {
        self.searches.push((
            format!("SEARCH('{{{schema}}} {terms}', '{statistic}', 300)"),
            label,
        ));
        self
    }

    fn limit(mut self, value: f64, label: impl Into<String>) -> Self {
        self.limit = Some((value, label.into()));
        self
    }

    fn json(self, index: usize) -> Value {
        let metrics: Vec<Value> = self
            .searches
            .iter()
            .enumerate()
            .map(|(id, (expression, label))| {
                json!([{ "expression": expression, "id": format!("e{}", id + 1), "label": label }])
            })
            .collect();
        let mut properties = json!({
            "title": self.title,
            "view": "timeSeries",
            "stacked": false,
            "region": self.region,
            "period": 300,
            "metrics": metrics,
            "yAxis": { "left": { "min": 0 } },
        });
        if let Some((value, label)) = self.limit {
            properties["annotations"] =
                json!({ "horizontal": [{ "value": value, "label": label, "color": "#d62728" }] });
        }
        json!({
            "type": "metric",
            "x": (index % 3) * 8,
            "y": (index / 3) * 6,
            "width": 8,
            "height": 6,
            "properties": properties,
        })
    }
}

pub(super) fn body(plan: &Plan, cloud: &Cloud) -> Value {
    let mut graphs = machines(cloud);
    graphs.extend(balancer(plan, cloud));
    if cloud.stores == StoresBy::Managed {
        graphs.extend(stores(plan, cloud));
    }
    let mut cost = Graph::new(cloud, "Cost of the month, US dollars").search(
        "AWS/Billing,Currency,ServiceName",
        "MetricName=\"EstimatedCharges\"",
        "Maximum",
        "",
    );
    // Billing is told of in one region, whatever the region of what is billed.
    cost.region = "us-east-1".to_owned();
    if let Some(budget) = cloud.budget {
        cost = cost.limit(f64::from(budget), "budget");
    }
    graphs.push(cost);
    let widgets: Vec<Value> = graphs
        .into_iter()
        .enumerate()
        .map(|(index, graph)| graph.json(index))
        .collect();
    json!({ "start": "-PT6H", "periodOverride": "inherit", "widgets": widgets })
}

fn machines(cloud: &Cloud) -> Vec<Graph> {
    let (schema, terms) = match cloud.compute {
        Compute::Ec2 => (
            "AWS/EC2,AutoScalingGroupName",
            format!("AutoScalingGroupName=\"{}\" ", machine::group_name(cloud)),
        ),
        // The group behind a node group has a generated name.
        Compute::Eks => ("AWS/EC2,AutoScalingGroupName", String::new()),
        Compute::Nodes => ("AWS/EC2,InstanceId", String::new()),
    };
    let of = |metric: &str| format!("{terms}MetricName=\"{metric}\"");
    let mut graphs = vec![
        Graph::new(cloud, "Machines: CPU, %")
            .search(schema, &of("CPUUtilization"), "Average", "")
            .limit(cloud.alarms.cpu.fraction() * 100.0, "alarm"),
        Graph::new(cloud, "Machines: network, bytes")
            .search(schema, &of("NetworkIn"), "Sum", "in")
            .search(schema, &of("NetworkOut"), "Sum", "out"),
        Graph::new(cloud, "Machines: failed status checks")
            .search(schema, &of("StatusCheckFailed"), "Maximum", "")
            .limit(1.0, "failed"),
    ];
    if cloud.compute != Compute::Nodes {
        let group = "AWS/AutoScaling,AutoScalingGroupName";
        graphs.push(
            Graph::new(cloud, "Scaling: machines")
                .search(group, &of("GroupDesiredCapacity"), "Average", "wanted")
                .search(
                    group,
                    &of("GroupInServiceInstances"),
                    "Average",
                    "in service",
                ),
        );
    }
    graphs
}

fn balancer(plan: &Plan, cloud: &Cloud) -> Vec<Graph> {
    let schema = "AWS/ApplicationELB,LoadBalancer";
    let thresholds = &plan.telemetry.thresholds;
    vec![
        Graph::new(cloud, "Load balancer: requests").search(
            schema,
            "MetricName=\"RequestCount\"",
            "Sum",
            "",
        ),
        Graph::new(cloud, "Load balancer: 5xx")
            .search(
                schema,
                "MetricName=\"HTTPCode_Target_5XX_Count\"",
                "Sum",
                "targets",
            )
            .search(
                schema,
                "MetricName=\"HTTPCode_ELB_5XX_Count\"",
                "Sum",
                "load balancer",
            ),
        Graph::new(cloud, "Load balancer: latency p95, seconds")
            .search(schema, "MetricName=\"TargetResponseTime\"", "p95", "")
            .limit(thresholds.latency.as_secs_f64(), "alarm"),
        Graph::new(cloud, "Load balancer: targets")
            .search(
                "AWS/ApplicationELB,LoadBalancer,TargetGroup",
                "MetricName=\"HealthyHostCount\"",
                "Minimum",
                "healthy",
            )
            .search(
                "AWS/ApplicationELB,LoadBalancer,TargetGroup",
                "MetricName=\"UnHealthyHostCount\"",
                "Maximum",
                "unhealthy",
            ),
    ]
}

fn stores(plan: &Plan, cloud: &Cloud) -> Vec<Graph> {
    let mut graphs = vec![];
    let limits = &plan.telemetry.thresholds;
    for (name, store) in &plan.stores {
        let Some(database) = cloud.databases.get(name) else {
            continue;
        };
        let server = &database.identifier;
        match store.engine {
            StoreEngine::Postgres => {
                let schema = "AWS/RDS,DBInstanceIdentifier";
                let of = |metric: &str| {
                    format!("DBInstanceIdentifier=\"{server}\" MetricName=\"{metric}\"")
                };
                graphs.extend([
                    Graph::new(cloud, format!("{server}: CPU, %"))
                        .search(schema, &of("CPUUtilization"), "Average", "")
                        .limit(cloud.alarms.cpu.fraction() * 100.0, "alarm"),
                    Graph::new(cloud, format!("{server}: connections")).search(
                        schema,
                        &of("DatabaseConnections"),
                        "Maximum",
                        "",
                    ),
                    Graph::new(cloud, format!("{server}: free storage, bytes"))
                        .search(schema, &of("FreeStorageSpace"), "Minimum", "")
                        .limit(
                            f64::from(database.storage_gib)
                                * 1024.0
                                * 1024.0
                                * 1024.0
                                * limits.disk_free.fraction(),
                            "alarm",
                        ),
                    Graph::new(cloud, format!("{server}: latency, seconds"))
                        .search(schema, &of("ReadLatency"), "Average", "read")
                        .search(schema, &of("WriteLatency"), "Average", "write"),
                ]);
                if database.replica_zone.is_some() {
                    graphs.push(
                        Graph::new(cloud, format!("{server}: replica lag, seconds")).search(
                            schema,
                            "MetricName=\"ReplicaLag\"",
                            "Maximum",
                            "",
                        ),
                    );
                }
            }
            StoreEngine::Redis => {
                let schema = "AWS/ElastiCache,CacheClusterId";
                let of = |metric: &str| format!("\"{server}\" MetricName=\"{metric}\"");
                graphs.extend([
                    Graph::new(cloud, format!("{server}: memory, %"))
                        .search(schema, &of("DatabaseMemoryUsagePercentage"), "Maximum", "")
                        .limit(limits.memory.fraction() * 100.0, "alarm"),
                    Graph::new(cloud, format!("{server}: hit rate, %")).search(
                        schema,
                        &of("CacheHitRate"),
                        "Average",
                        "",
                    ),
                    Graph::new(cloud, format!("{server}: connections")).search(
                        schema,
                        &of("CurrConnections"),
                        "Maximum",
                        "",
                    ),
                ]);
            }
        }
    }
    graphs
}
