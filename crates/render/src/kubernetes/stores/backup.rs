//! Dumps of the stores that the cluster runs: to a volume, or to the cloud's bucket.

use k8s_openapi::api::core::v1::{Container, EnvVar, PodSpec, VolumeMount};
use wharf_base::ids::Name;
use wharf_base::units::Bytes;
use wharf_plan::model::{Bucket, Store, StoreEngine};

use super::super::cluster::{ACCOUNT, Cluster, small, suffixed};
use super::super::config::{from_secret, value};
use super::super::object::{Object, Stage};
use super::super::pods::{claim as mounted, container_security, mount, pod_security, scratch};
use super::super::services::scheduled;
use super::{account, claim, postgres};
use crate::values::store_password;

const UPLOADER: &str = "amazon/aws-cli:2.15.57";

/// The user `postgres` of the image that dumps.
const USER: i64 = 999;

/// Where dumps go.
pub(super) enum Place<'a> {
    /// To a volume of this size.
    Volume(Bytes),
    /// To a bucket of the cloud.
    Bucket(&'a Bucket),
}

/// What the job of a store is called.
pub(crate) fn name(store: &Name) -> String {
    suffixed(store, "backup")
}

/// Where the dumps of a store go; none: it has none, or Redis, whose snapshots are on its own volume.
pub(super) fn place<'a>(cluster: &Cluster<'a>, store: &Store) -> Option<Place<'a>> {
    store.backups.as_ref()?;
    if store.engine != StoreEngine::Postgres {
        return None;
    }
    if let Some(size) = store.backup_volume {
        return Some(Place::Volume(size));
    }
    let cloud = cluster.plan.cloud.as_ref().filter(|_| cluster.is_eks())?;
    cloud.buckets.get("backups").map(Place::Bucket)
}

pub(super) fn objects(cluster: &Cluster<'_>, store: &Name, meant: &Store) -> Vec<Object> {
    let (Some(place), Some(backups)) = (place(cluster, meant), &meant.backups) else {
        return vec![];
    };
    let name = name(store);
    let days = (backups.keep.as_secs() / 86_400).max(1);
    let role = match place {
        Place::Volume(_) => None,
        Place::Bucket(_) => cluster.role("backup"),
    };
    let mut objects = vec![account(cluster, &name, role)];
    let mut containers = vec![];
    let mut first = vec![];
    let mut volumes = vec![scratch("tmp", "64Mi")];
    match place {
        Place::Volume(size) => {
            let called = claim_name(cluster, store);
            let claim = claim(
                cluster,
                &called,
                &name,
                "ReadWriteOnce",
                meant.storage_class.as_ref(),
                size,
            );
            objects.push(Object::typed(
                Stage::Config,
                format!("{called}-pvc"),
                &claim,
            ));
            volumes.push(mounted("backups", &called));
            let script = format!(
                "set -eu\n\
                 file=\"/backups/{store}-$(date -u +%Y%m%dT%H%M%SZ).dump\"\n\
                 pg_dump --format=custom --file=\"$file.part\"\n\
                 # A dump that cannot be listed is none.\n\
                 pg_restore --list \"$file.part\" > /dev/null\n\
                 mv \"$file.part\" \"$file\"\n\
                 find /backups -name '{store}-*.dump' -mtime +{days} -delete\n\
                 find /backups -name '{store}-*.part' -mtime +1 -delete\n"
            );
            containers.push(dump(
                cluster,
                store,
                meant,
                &script,
                vec![mount("backups", "/backups"), mount("tmp", "/tmp")],
            ));
        }
        Place::Bucket(bucket) => {
            let script = format!(
                "set -eu\n\
                 pg_dump --format=custom --file=/dump/{store}.dump\n\
                 # A dump that cannot be listed is none.\n\
                 pg_restore --list /dump/{store}.dump > /dev/null\n"
            );
            let mounts = || vec![mount("dump", "/dump"), mount("tmp", "/tmp")];
            first.push(dump(cluster, store, meant, &script, mounts()));
            volumes.push(scratch(
                "dump",
                &meant.storage.unwrap_or(Bytes(10 << 30)).to_string(),
            ));
            let environment = cluster.plan.environment.as_ref();
            let bucket = bucket
                .name
                .replace(
                    "{environment}",
                    environment.map_or("", |name| name.as_str()),
                )
                .replace("{account}", ACCOUNT)
                .replace("{project}", cluster.plan.name.as_str());
            let upload = format!(
                "aws s3 cp /dump/{store}.dump \
                 \"s3://{bucket}/{store}/$(date -u +%Y%m%dT%H%M%SZ).dump\" --sse aws:kms\n"
            );
            containers.push(Container {
                name: "upload".to_owned(),
                image: Some(UPLOADER.to_owned()),
                command: Some(["sh", "-c", &upload].map(str::to_owned).into()),
                env: Some(vec![value("HOME", "/tmp")]),
                resources: small((50, 500), (64, 256)),
                security_context: Some(container_security()),
                volume_mounts: Some(mounts()),
                ..Container::default()
            });
        }
    }
    let pod = PodSpec {
        restart_policy: Some("Never".to_owned()),
        service_account_name: Some(name.clone()),
        automount_service_account_token: Some(false),
        security_context: Some(pod_security(USER, true)),
        init_containers: (!first.is_empty()).then_some(first),
        containers,
        volumes: Some(volumes),
        ..PodSpec::default()
    };
    let cron = scheduled(cluster, &name, &backups.schedule, pod, Some(3600));
    objects.push(
        Object::typed(Stage::Stores, format!("{name}-cronjob"), &cron).comment(
            "/spec/schedule",
            format!(
                "Kept for {}.",
                if days == 1 {
                    "a day".to_owned()
                } else {
                    format!("{days} days")
                }
            ),
        ),
    );
    objects
}

/// `backups`, unless there are several.
fn claim_name(cluster: &Cluster<'_>, store: &Name) -> String {
    let claims = cluster
        .stores()
        .filter(|(_, store)| matches!(place(cluster, store), Some(Place::Volume(_))));
    if claims.count() == 1 {
        "backups".to_owned()
    } else {
        format!("{store}-backups")
    }
}

fn dump(
    cluster: &Cluster<'_>,
    store: &Name,
    meant: &Store,
    script: &str,
    mounts: Vec<VolumeMount>,
) -> Container {
    let address = cluster.server(store);
    let env: Vec<EnvVar> = vec![
        value("PGHOST", address.host),
        value("PGPORT", address.port.to_string()),
        value("PGUSER", address.user.unwrap_or_default()),
        value("PGDATABASE", address.database),
        from_secret(cluster, "PGPASSWORD", &store_password(store)),
    ];
    Container {
        name: "dump".to_owned(),
        image: Some(postgres::image(cluster, meant)),
        command: Some(["sh", "-c", script].map(str::to_owned).into()),
        env: Some(env),
        resources: small((100, 500), (64, 256)),
        security_context: Some(container_security()),
        volume_mounts: Some(mounts),
        ..Container::default()
    }
}
