//! The claims of the project's named volumes.

use std::collections::BTreeMap;

use wharf_base::ids::Name;
use wharf_base::units::Bytes;
use wharf_plan::model::{Volume, VolumeSource};

use super::cluster::Cluster;
use super::object::{Object, Stage};
use super::stores::claim;

/// One claim a volume, whoever mounts it.
pub(super) fn objects(cluster: &Cluster<'_>) -> Vec<Object> {
    let mut volumes: BTreeMap<&Name, (&Volume, Vec<&Name>)> = BTreeMap::new();
    for (service, meant) in &cluster.plan.services {
        for volume in &meant.volumes {
            if let VolumeSource::Named(name) = &volume.source {
                let (known, services) = volumes.entry(name).or_insert((volume, vec![]));
                // Whoever asks for more of it decides.
                if (volume.shared, volume.size) > (known.shared, known.size) {
                    *known = volume;
                }
                services.push(service);
            }
        }
    }
    volumes
        .into_iter()
        .map(|(name, (volume, services))| {
            let mode = if volume.shared {
                "ReadWriteMany"
            } else {
                "ReadWriteOnce"
            };
            let size = volume.size.unwrap_or(Bytes(1 << 30));
            let class = volume.class.as_ref();
            let claim = claim(cluster, name.as_str(), name.as_str(), mode, class, size);
            let services: Vec<&str> = services.into_iter().map(Name::as_str).collect();
            Object::typed(Stage::Config, format!("{name}-pvc"), &claim).comment(
                "/spec/accessModes",
                format!("Mounted by {}.", services.join(", ")),
            )
        })
        .collect()
}
