//! The cgroup hierarchies of this machine, and where in each of them this process may make cgroups.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The directory of a project vanishes when its last process ends; making one in it may have to begin again.
const MAKE_ATTEMPTS: u32 = 5;
/// What limits need.
const CONTROLLERS: [&str; 3] = ["memory", "cpu", "pids"];

/// One mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hierarchy {
    /// None: unified (v2).
    controllers: Option<Vec<String>>,
    mount: PathBuf,
    /// The directory of this process's own cgroup.
    own: PathBuf,
}

impl Hierarchy {
    /// The hierarchies of this process, the unified one first.
    pub(crate) fn all() -> Vec<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        parse(&mounts, &own)
    }

    pub(crate) fn is_unified(&self) -> bool {
        self.controllers.is_none()
    }

    /// Whether limits of this controller can be set in it.
    pub(crate) fn has(&self, controller: &str) -> bool {
        match &self.controllers {
            Some(controllers) => controllers.iter().any(|c| c == controller),
            None => {
                has_word(&self.mount.join("cgroup.controllers"), controller)
                    || has_word(&self.own.join("cgroup.controllers"), controller)
            }
        }
    }

    /// Makes the directory `wharf-<project>/<id>` where it is permitted and reaches furthest: none if nowhere.
    pub(crate) fn make(&self, project: &str, id: &str) -> Option<PathBuf> {
        self.bases()
            .into_iter()
            .find_map(|base| self.make_in(&base, project, id).ok())
    }

    /// The cgroups that are there of a project, or of one process of it.
    pub(crate) fn existing(&self, project: &str, id: Option<&str>) -> Vec<PathBuf> {
        let below = |base: &Path| {
            let project = base.join(format!("wharf-{project}"));
            id.map_or(project.clone(), |id| project.join(id))
        };
        // Whoever made them may have stood higher or in the same place.
        let bases = self
            .own
            .ancestors()
            .take_while(|dir| dir.starts_with(&self.mount));
        bases.map(below).filter(|dir| dir.is_dir()).collect()
    }

    /// v1: below the own cgroup, whose limits then still hold. v2: a cgroup that holds processes hands no controller down, so the
    /// highest one that may be written: the root for root, the user's delegated subtree for others.
    fn bases(&self) -> Vec<PathBuf> {
        if !self.is_unified() {
            return vec![self.own.clone()];
        }
        let mut bases: Vec<PathBuf> = self
            .own
            .ancestors()
            .take_while(|dir| dir.starts_with(&self.mount))
            .map(Path::to_owned)
            .collect();
        bases.reverse();
        bases
    }

    fn make_in(&self, base: &Path, project: &str, id: &str) -> io::Result<PathBuf> {
        let parent = base.join(format!("wharf-{project}"));
        let dir = parent.join(id);
        let mut attempt = 0;
        loop {
            attempt += 1;
            match fs::create_dir(&parent) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            if self.is_unified() {
                hand_down(base);
                hand_down(&parent);
            }
            match fs::create_dir(&dir) {
                Ok(()) => return Ok(dir),
                // Left by a launch of the same name. With an empty one go its counters; one that is busy is swept with its process.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if attempt >= MAKE_ATTEMPTS || fs::remove_dir(&dir).is_err() {
                        return Ok(dir);
                    }
                }
                Err(error)
                    if error.kind() == io::ErrorKind::NotFound && attempt < MAKE_ATTEMPTS => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Lets the children of a v2 cgroup have the controllers that it has itself. One at a time: one that is refused refuses all.
fn hand_down(dir: &Path) {
    for controller in CONTROLLERS {
        let enabled = dir.join("cgroup.subtree_control");
        if has_word(&dir.join("cgroup.controllers"), controller) && !has_word(&enabled, controller)
        {
            // Refused where the cgroup holds processes; the limit is then reported as not enforced.
            drop(fs::write(enabled, format!("+{controller}")));
        }
    }
}

fn has_word(file: &Path, word: &str) -> bool {
    fs::read_to_string(file).is_ok_and(|text| text.split_whitespace().any(|w| w == word))
}

/// Puts `/proc/self/mountinfo` and `/proc/self/cgroup` together (proc(5), cgroups(7)).
fn parse(mountinfo: &str, own: &str) -> Vec<Hierarchy> {
    let mut found: Vec<Hierarchy> = mountinfo
        .lines()
        .filter_map(|line| parse_mount(line, own))
        .collect();
    found.sort_by_key(|hierarchy| !hierarchy.is_unified());
    found.dedup_by(|a, b| a.is_unified() && b.is_unified());
    found
}

fn parse_mount(line: &str, own: &str) -> Option<Hierarchy> {
    let (left, right) = line.split_once(" - ")?;
    let mut left = left.split(' ').skip(3);
    let (root, mount) = (left.next()?, PathBuf::from(left.next()?));
    let mut right = right.split(' ');
    let (kind, _source, options) = (right.next()?, right.next()?, right.next()?);
    let controllers = match kind {
        "cgroup2" => None,
        "cgroup" => {
            let known: Vec<String> = options
                .split(',')
                .filter(|o| CONTROLLERS.contains(o))
                .map(str::to_owned)
                .collect();
            if known.is_empty() {
                return None;
            }
            Some(known)
        }
        _ => return None,
    };
    let path = own.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (names, path) = (fields.next()?, fields.next()?);
        let matches = match &controllers {
            None => names.is_empty(),
            Some(controllers) => names
                .split(',')
                .any(|name| controllers.iter().any(|c| c == name)),
        };
        matches.then_some(path)
    })?;
    // In a container without its own cgroup namespace, the mount shows only the part below `root`.
    let below = path
        .strip_prefix(root.trim_end_matches('/'))
        .unwrap_or("")
        .trim_start_matches('/');
    let own = if below.is_empty() {
        mount.clone()
    } else {
        mount.join(below)
    };
    Some(Hierarchy {
        controllers,
        mount,
        own,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
        32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct\n\
        35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
        40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n\
        41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";

    #[track_caller]
    fn check(mounts: &str, own: &str, expected: &[(&str, &str)]) {
        let got: Vec<(String, String)> = parse(mounts, own)
            .iter()
            .map(|h| {
                (
                    h.controllers.as_ref().map_or("v2".into(), |c| c.join(",")),
                    h.own.display().to_string(),
                )
            })
            .collect();
        let expected: Vec<(String, String)> = expected
            .iter()
            .map(|(a, b)| ((*a).into(), (*b).into()))
            .collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn finds_every_hierarchy() {
        check(
            HYBRID,
            "4:memory:/box/a\n2:cpu,cpuacct:/\n0::/",
            &[
                ("v2", "/sys/fs/cgroup/unified"),
                ("cpu", "/sys/fs/cgroup/cpu"),
                ("memory", "/sys/fs/cgroup/memory/box/a"),
            ],
        );
        check(
            "29 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate",
            "0::/user.slice/user-1000.slice/session-3.scope",
            &[(
                "v2",
                "/sys/fs/cgroup/user.slice/user-1000.slice/session-3.scope",
            )],
        );
        check(
            "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory",
            "4:memory:/docker/abc/x\n",
            &[("memory", "/sys/fs/cgroup/memory/x")],
        );
        check("", "", &[]);
        check("rubbish - \n - cgroup2", "0::/", &[]);
    }

    #[test]
    fn prefers_the_highest_base_of_the_unified_hierarchy() {
        let mounts = "29 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw";
        let bases = parse(mounts, "0::/a/b")[0].bases();
        let expected: Vec<PathBuf> = ["/sys/fs/cgroup", "/sys/fs/cgroup/a", "/sys/fs/cgroup/a/b"]
            .map(PathBuf::from)
            .into();
        assert_eq!(bases, expected);
    }
}
