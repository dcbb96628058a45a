//! Files that Nginx serves by itself: collected ones are copied out of the image at each start, uploaded ones lie on a
//! volume that the service and Nginx share.

use std::collections::{BTreeMap, BTreeSet};

use wharf_base::ids::Name;
use wharf_plan::images::volume_of;
use wharf_plan::model::VolumeSource;

use super::stack::{Stack, unique};
use crate::dockerfile::runtime;

/// A folder of files that Nginx serves.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StaticFolder {
    /// The folder in the service's image.
    pub(super) folder: String,
    /// The volume that Nginx reads.
    pub(super) volume: String,
    /// Where Nginx finds it.
    pub(super) mount: String,
    /// Whether the files come from the image.
    pub(super) copied: bool,
    /// Whether the volume is one of the plan's, which the service mounts already.
    pub(super) declared: bool,
}

/// The folder of a service's files in Nginx's container.
pub(super) fn root(service: &Name) -> String {
    format!("/srv/{service}")
}

/// The folders of every service that has a route.
pub(super) fn folders<'a>(stack: &Stack<'a>) -> BTreeMap<&'a Name, Vec<StaticFolder>> {
    let mut volumes = volumes(stack);
    let mut all = BTreeMap::new();
    for (name, service) in &stack.services {
        if !stack.is_routed(name) {
            continue;
        }
        let mut folders = vec![];
        for (prefix, folder) in &service.static_files {
            let in_image = runtime::in_image(folder);
            let declared = volume_of(service, folder).and_then(|(volume, place)| {
                let VolumeSource::Named(source) = &volume.source else {
                    return None;
                };
                place.is_empty().then(|| source.to_string())
            });
            let inner = folder.trim_start_matches("./").trim_end_matches('/');
            let last = in_image.rsplit('/').next().unwrap_or_default();
            let copied = declared.is_none() && !runtime::is_uploaded(service, prefix);
            folders.push(StaticFolder {
                volume: match &declared {
                    Some(volume) => volume.clone(),
                    None => unique(&mut volumes, &format!("{name}-{last}")),
                },
                // Where the configuration of Nginx looks for it.
                mount: format!("{}/{inner}", root(name)),
                folder: in_image,
                copied,
                declared: declared.is_some(),
            });
        }
        if !folders.is_empty() {
            all.insert(*name, folders);
        }
    }
    all
}

/// The names of the plan's volumes and of those of its stores.
pub(super) fn volumes(stack: &Stack<'_>) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = stack
        .services
        .iter()
        .flat_map(|(_, service)| &service.volumes)
        .filter_map(|volume| match &volume.source {
            VolumeSource::Named(name) => Some(name.to_string()),
            VolumeSource::Path(_) => None,
        })
        .collect();
    for store in stack.plan.stores.keys() {
        names.insert(format!("{store}-data"));
    }
    names.insert("certificates".to_owned());
    names
}
