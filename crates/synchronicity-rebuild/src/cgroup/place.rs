//! Where groups are: the hierarchies that are mounted, and this process's own place in each.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A folder in which this process may make groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) folder: PathBuf,
    pub(super) version: Version,
}

/// Which interface the folder's files have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Version {
    /// One hierarchy with a folder for each controller.
    One { controller: String },
    /// One folder for all.
    Two,
}

/// A mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mounted {
    /// Where.
    point: PathBuf,
    /// Which part of the hierarchy is seen there.
    root: PathBuf,
    /// Its controllers; none for version 2.
    controllers: Vec<String>,
}

const NEEDED: [&str; 2] = ["memory", "pids"];
/// Limits the processor time, which the number of jobs does already for builds that keep to it.
const WISHED: &str = "cpu";

/// Places for all that is needed, and for what is wished if it can be had.
///
/// # Errors
/// Why there are none.
pub(super) fn writable() -> io::Result<Vec<Place>> {
    let own = own_folders("self")?;
    if let Some(place) = own.iter().find(|place| place.version == Version::Two).and_then(delegated) {
        return Ok(vec![place]);
    }
    let one = |controller: &str| {
        own.iter().find(|place| place.version == Version::One { controller: controller.into() }).cloned()
    };
    let needed: Option<Vec<Place>> = NEEDED.into_iter().map(one).collect();
    let mut places = needed.ok_or_else(|| {
        let reason = "no group with the controllers memory and pids was delegated to this process";
        io::Error::new(io::ErrorKind::PermissionDenied, reason)
    })?;
    places.extend(one(WISHED));
    Ok(places)
}

/// The folders of a process in every hierarchy that is mounted here; `process` is its number or `self`.
pub(super) fn own_folders(process: &str) -> io::Result<Vec<Place>> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let memberships = fs::read_to_string(format!("/proc/{process}/cgroup"))?;
    Ok(folders(&mounted(&mounts), &memberships))
}

/// A group's own folder, or the one above, if groups with the needed controllers can be made in it.
///
/// A group that holds processes cannot hand controllers on; the folder above is somebody else's, and is used only if it
/// hands them on already.
fn delegated(own: &Place) -> Option<Place> {
    let above = own.folder.parent().map(Path::to_owned);
    if !hands_on(&own.folder) {
        take(&own.folder);
    }
    let folders = [Some(own.folder.clone()), above];
    let folder = folders.into_iter().flatten().find(|folder| hands_on(folder))?;
    Some(Place { folder, version: Version::Two })
}

/// Asks for the controllers in one write, which the kernel takes or refuses as a whole: some of them it would hand on from a
/// group with processes, and make of that group something else.
fn take(folder: &Path) {
    let control = folder.join("cgroup.subtree_control");
    let [memory, pids] = NEEDED;
    // Whether it was of use is read by `hands_on`.
    let _ = fs::write(&control, format!("+{memory} +{pids} +{WISHED}"))
        .or_else(|_| fs::write(&control, format!("+{memory} +{pids}")));
}

fn hands_on(folder: &Path) -> bool {
    let handed = fs::read_to_string(folder.join("cgroup.subtree_control")).unwrap_or_default();
    let has = |controller| handed.split_whitespace().any(|word| word == controller);
    let writable = nix::unistd::access(folder, nix::unistd::AccessFlags::W_OK).is_ok();
    writable && NEEDED.into_iter().all(has)
}

/// From `/proc/PID/cgroup`: `number:controllers:path` in every line, without controllers in version 2.
fn folders(mounts: &[Mounted], memberships: &str) -> Vec<Place> {
    let mut places = Vec::new();
    for line in memberships.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let controllers: Vec<&str> = controllers.split(',').filter(|name| !name.is_empty()).collect();
        let Some(mount) = mounts.iter().find(|mount| mount.controllers == controllers) else { continue };
        // A container sees only its own part, and names its place from the top.
        let inner = Path::new(path).strip_prefix(&mount.root).unwrap_or(Path::new(path));
        let folder = mount.point.join(inner.strip_prefix("/").unwrap_or(inner));
        if controllers.is_empty() {
            places.push(Place { folder: folder.clone(), version: Version::Two });
        }
        places.extend(controllers.into_iter().map(|controller| Place {
            folder: folder.clone(),
            version: Version::One { controller: controller.into() },
        }));
    }
    places
}

/// From `/proc/self/mountinfo`: the fourth and fifth fields are root and point; after a dash come kind, source, options.
fn mounted(table: &str) -> Vec<Mounted> {
    const CONTROLLERS: [&str; 14] = [
        "cpu",
        "cpuacct",
        "cpuset",
        "memory",
        "devices",
        "freezer",
        "blkio",
        "pids",
        "net_cls",
        "net_prio",
        "hugetlb",
        "perf_event",
        "rdma",
        "misc",
    ];
    let mut found = Vec::new();
    for line in table.lines() {
        let Some((place, kind)) = line.split_once(" - ") else { continue };
        let place: Vec<&str> = place.split(' ').collect();
        let kind: Vec<&str> = kind.split(' ').collect();
        let ([_, _, _, root, point, ..], [kind, _, options, ..]) = (&place[..], &kind[..]) else { continue };
        let controllers = match *kind {
            "cgroup2" => Vec::new(),
            "cgroup" => {
                let named = |option: &&str| CONTROLLERS.contains(option) || option.starts_with("name=");
                options.split(',').filter(named).map(str::to_owned).collect()
            }
            _ => continue,
        };
        found.push(Mounted { point: point.into(), root: root.into(), controllers });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
25 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 29 0:26 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
31 29 0:27 / /sys/fs/cgroup/memory rw,relatime shared:5 - cgroup cgroup rw,memory
32 29 0:28 /docker/abc /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
33 29 0:29 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup rw,nsdelegate
";

    fn folder(places: &[Place], controller: &str) -> Option<PathBuf> {
        let version = Version::One { controller: controller.into() };
        places.iter().find(|place| place.version == version).map(|place| place.folder.clone())
    }

    #[test]
    fn a_process_has_a_folder_in_each_hierarchy_also_where_a_container_sees_only_a_part() {
        let memberships = "9:cpu,cpuacct:/\n8:memory:/user/a\n7:pids:/docker/abc/inner\n6:freezer:/\n0::/user/a\n";
        let places = folders(&mounted(HYBRID), memberships);
        assert_eq!(folder(&places, "cpu"), Some("/sys/fs/cgroup/cpu,cpuacct/".into()));
        assert_eq!(folder(&places, "memory"), Some("/sys/fs/cgroup/memory/user/a".into()));
        assert_eq!(folder(&places, "pids"), Some("/sys/fs/cgroup/pids/inner".into()));
        assert_eq!(folder(&places, "freezer"), None, "it is not mounted");
        let two: Vec<_> = places.iter().filter(|place| place.version == Version::Two).collect();
        assert_eq!(two, [&Place { folder: "/sys/fs/cgroup/unified/user/a".into(), version: Version::Two }]);
    }

    #[test]
    fn lines_that_are_none_are_passed_over() {
        assert_eq!(mounted("nonsense\n1 2 - cgroup\n\n - \n"), []);
        assert_eq!(
            folders(&mounted(HYBRID), "nonsense\n1\n::\n"),
            [Place { folder: "/sys/fs/cgroup/unified".into(), version: Version::Two }]
        );
    }

    #[test]
    fn a_group_is_made_beside_the_nodes_own_where_that_one_holds_processes() {
        let tree = tempfile::tempdir().unwrap();
        let (service, own) = (tree.path().join("service"), tree.path().join("service/node"));
        fs::create_dir_all(&own).unwrap();
        // A folder in the file's place refuses what is written, as the kernel does for a group with processes.
        fs::create_dir(own.join("cgroup.subtree_control")).unwrap();
        let place = Place { folder: own, version: Version::Two };
        assert_eq!(delegated(&place), None);
        fs::write(service.join("cgroup.subtree_control"), "cpu memory\n").unwrap();
        assert_eq!(delegated(&place), None, "limits on processes were not handed on");
        fs::write(service.join("cgroup.subtree_control"), "cpu memory pids\n").unwrap();
        assert_eq!(delegated(&place), Some(Place { folder: service, version: Version::Two }));
    }
}
