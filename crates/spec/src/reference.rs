//! The reference of `wharf.yaml` as Markdown, from the records of the model.

use crate::decode::{FieldInfo, RecordInfo, paragraph};
use crate::diagnostic::CODES;
use crate::document::{ENVIRONMENTS_MAX, MEMBERS_MAX};
use crate::model::RECORDS;
use crate::yaml::{DEPTH_MAX, FILE_MAX_BYTES, NODES_MAX};

/// Where a record stands, for its heading.
const PLACES: &[(&str, &str)] = &[
    ("Spec", "The file"),
    ("Service", "`services.NAME`"),
    ("Build", "`services.NAME.build`"),
    ("Resources", "`services.NAME.resources`"),
    ("Probes", "`services.NAME.probes`"),
    (
        "Probe",
        "`services.NAME.probes.startup`, `.readiness`, `.liveness`",
    ),
    ("HttpCheck", "`http` of a probe"),
    ("TcpCheck", "`tcp` of a probe"),
    ("ExecCheck", "`exec` of a probe"),
    ("VolumeMap", "`services.NAME.volumes[]`"),
    ("Release", "`services.NAME.release`"),
    ("Schedule", "`services.NAME.schedule`"),
    ("Metrics", "`services.NAME.metrics`"),
    ("Rollout", "`services.NAME.rollout`"),
    ("Scale", "`services.NAME.scale`"),
    ("ScaleMetric", "`services.NAME.scale.metrics[]`"),
    ("Queue", "`services.NAME.scale.metrics[].queue`"),
    ("ScalePace", "`services.NAME.scale.up`, `.down`"),
    ("Expose", "`services.NAME.expose`"),
    ("Operation", "`services.NAME.api[]`"),
    ("Store", "`stores.NAME`"),
    ("Backups", "`stores.NAME.backups`"),
    ("Pool", "`stores.NAME.pool`"),
    ("Route", "`routes[]`"),
    ("RouteTarget", "`routes[].paths.PATH`"),
    ("Limits", "`routes[].limits`"),
    ("Headers", "`routes[].headers`"),
    ("Images", "`images`"),
    ("Secret", "`secrets.NAME`"),
    ("SecretStore", "`secret_store`"),
    ("Kubernetes", "`kubernetes`"),
    ("Quota", "`kubernetes.quota`"),
    ("GitOps", "`kubernetes.gitops`"),
    ("Cloud", "`cloud`"),
    ("Network", "`cloud.network`"),
    ("Nodes", "`cloud.nodes`"),
    ("Database", "`cloud.databases.NAME`"),
    ("Bucket", "`cloud.buckets.NAME`"),
    ("LoadBalancer", "`cloud.load_balancer`"),
    ("TargetHealth", "`cloud.load_balancer.health`"),
    ("Bastion", "`cloud.bastion`"),
    ("Protection", "`cloud.protection`"),
    ("Alarms", "`cloud.alarms`"),
    ("State", "`cloud.state`"),
    ("Stacks", "`cloud.stacks`"),
    ("Telemetry", "`telemetry`"),
    ("Logs", "`telemetry.logs`"),
    ("ArchiveTo", "`telemetry.logs.archive_to`"),
    ("Notifications", "`telemetry.notifications`"),
    ("Thresholds", "`telemetry.thresholds`"),
    ("ScrapeTarget", "`telemetry.targets[]`"),
    ("Objective", "`objectives[]`"),
    ("Alert", "`alerts[]`"),
    ("Receiver", "`notify.NAME`"),
    ("Smtp", "`notify.NAME.smtp`"),
    ("Pipeline", "`pipeline`"),
    ("CheckJob", "`pipeline.lint.NAME`"),
    ("TestJob", "`pipeline.tests.NAME`"),
    ("Scan", "`pipeline.scan`"),
    ("Job", "`pipeline.jobs.NAME`"),
    ("Goals", "`pipeline.goals`"),
    ("Scenario", "`load.NAME`"),
    ("LoadRequest", "`load.NAME.requests[]`"),
    ("LoadThresholds", "`load.NAME.thresholds`"),
    ("Environment", "`environments.NAME`"),
    ("Patch", "`patches[]`"),
];

const HEAD: &str = "\
# `wharf.yaml`

<!-- Generated from the model; do not edit. -->

One file says what an application is. Its keys are strict: a key that is not in this reference is an error with a
suggestion, never ignored. Keys that begin with `x-` pass where that is said, and mean nothing. Sections that a later
version will read are errors of their own (`W015`).

Values are written as in Kubernetes: CPU as `250m` or `0.5`, bytes as `128Mi`, `1Gi` or `500M`, durations as `500ms`,
`30s`, `1m30s`, `2h` or `7d`. YAML's anchors, aliases and `<<` work; tags do not.

## References

Values of `environment` may refer to other parts; what they mean is filled in when a replica starts, and is in no plan,
log or state.

| reference | means |
| --- | --- |
| `${STORE.url}` | a URL with everything in it; also `.host`, `.port`, `.user`, `.password`, `.database` |
| `${SERVICE.url}` | the stable internal address of a service; also `.host`, `.port` |
| `${env.NAME}`, `${env.NAME:-default}` | a variable of whoever makes the release |
| `${secret.NAME}` | a secret of the project; on this machine from `WHARF_SECRET_NAME`, `.env`, or drawn once |
| `${volume.NAME}` | where the program finds a volume that the service mounts |
| `${wharf.project}` | what is known of the replica; also `.service`, `.release`, `.environment` |
| `$$` | one `$` |

A reference to a store is a need: the service starts when the store is ready. A reference to a service is none.
";

/// The reference. The same version of Wharf gives the same bytes.
#[must_use]
pub fn reference() -> String {
    let mut text = HEAD.to_owned();
    for record in RECORDS {
        section(&mut text, record);
    }
    limits(&mut text);
    text.push_str("\n## Diagnostics\n\n| code | meaning |\n| --- | --- |\n");
    for code in CODES {
        line(
            &mut text,
            format_args!("| `{}` | {} |", code.id, cell(code.meaning)),
        );
    }
    text
}

fn section(text: &mut String, record: &RecordInfo) {
    let place = PLACES.iter().find(|(name, _)| *name == record.name);
    let heading = place.map_or(record.name, |(_, heading)| heading);
    line(
        text,
        format_args!("\n## {heading}\n\n{}", paragraph(record.doc)),
    );
    if let Some(short) = record.short() {
        line(
            text,
            format_args!(
                "\nShort form: {}, which stands for `{}`.",
                (short.expected)(),
                short.key
            ),
        );
    }
    text.push_str("\n| key | value | default | meaning |\n| --- | --- | --- | --- |\n");
    for field in record.fields {
        row(text, field);
    }
    if record.extensible {
        text.push_str("\nKeys that begin with `x-` pass.\n");
    }
    if !record.later.is_empty() {
        let keys: Vec<String> = record.later.iter().map(|key| format!("`{key}`")).collect();
        line(
            text,
            format_args!("\nNot supported yet: {}.", keys.join(", ")),
        );
    }
}

fn row(text: &mut String, field: &FieldInfo) {
    let attribute = |name| field.attribute(name).and_then(|texts| texts.first());
    let default = match attribute("default") {
        _ if field.is_required() => "**required**".to_owned(),
        Some(default) => cell(default),
        None => String::new(),
    };
    let mut meaning = paragraph(field.doc);
    if let Some(example) = attribute("example") {
        meaning = format!("{meaning} Example: `{}: {example}`", field.key);
    }
    let row = format_args!(
        "| `{}` | {} | {default} | {} |",
        field.key,
        cell(&(field.expected)()),
        cell(&meaning)
    )
    .to_string();
    line(text, format_args!("{row}"));
}

fn limits(text: &mut String) {
    line(
        text,
        format_args!(
            "\n## Bounds\n\n| what | at most |\n| --- | --- |\n\
             | the file | {} KiB |\n| nesting | {DEPTH_MAX} levels |\n| keys, items and values, what aliases repeat included | {NODES_MAX} |\n\
             | services and stores together | {MEMBERS_MAX} |\n| environments | {ENVIRONMENTS_MAX} |\n| replicas of a service | 1000 |\n\
             | a duration | 3653d |",
            FILE_MAX_BYTES / 1024
        ),
    );
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.push_str(&arguments.to_string());
    text.push('\n');
}
