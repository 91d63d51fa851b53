//! The file system of the embedded sandbox: the host's programs and libraries read-only, nothing of its users, and the
//! job's folders at the paths that every sandbox shows.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::pivot_root;

use crate::room::{Plan, Refused, at};
use crate::sandbox::files_max;

/// Where programs and libraries are. On most systems all but the first are links into it.
const SYSTEM: [&str; 7] = ["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"];
/// What programs need of the host's settings to find one another and their libraries.
const SETTINGS: [&str; 4] = ["alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d"];
const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];
/// What the sandbox says about users and names, instead of the host's own files.
const WRITTEN: [(&str, &str); 4] = [
    ("passwd", "root:x:0:0::/:/bin/sh\nbuilder:x:59999:59999::/tmp:/bin/sh\n"),
    ("group", "root:x:0:\nbuilder:x:59999:\n"),
    ("hosts", "127.0.0.1 localhost builder\n"),
    ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
];
const NONE: Option<&str> = None;

/// Builds the file system and makes it this process's root.
pub(crate) fn arrange(plan: &Plan) -> Result<(), Refused> {
    // Nothing that is mounted from here on may reach the host.
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE).map_err(at("make mounts private"))?;
    let root = plan.root.as_path();
    temporary(root, 16 << 20)?;
    for name in SYSTEM {
        show_system(root, name)?;
    }
    // Programs that one machine's owner installed by hand must not change what is built.
    let local = root.join("usr/local");
    if local.is_dir() {
        temporary(&local, 1 << 10)?;
        remount(&local, MsFlags::MS_RDONLY)?;
    }
    settings(root)?;
    devices(root)?;
    let proc = folder(root, "proc")?;
    mount(Some("proc"), &proc, Some("proc"), HARMLESS | MsFlags::MS_NOEXEC, NONE).map_err(at("mount /proc"))?;
    temporary(&folder(root, "tmp")?, plan.temporary_bytes)?;
    for shown in &plan.mounts {
        let to = folder(root, shown.to.strip_prefix("/").unwrap_or(&shown.to))?;
        show(&shown.from, &to, shown.writable)?;
    }
    enter(root)
}

/// No set-user-id programs and no device files.
const HARMLESS: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV);

fn enter(root: &Path) -> Result<(), Refused> {
    let old = folder(root, "old")?;
    pivot_root(root, &old).map_err(at("change the root"))?;
    std::env::set_current_dir("/").map_err(at("enter the root"))?;
    umount2("/old", MntFlags::MNT_DETACH).map_err(at("unmount the host"))?;
    fs::remove_dir("/old").map_err(at("remove the old root"))?;
    remount(Path::new("/"), MsFlags::MS_RDONLY)
}

fn show_system(root: &Path, name: &str) -> Result<(), Refused> {
    let host = Path::new("/").join(name);
    match fs::symlink_metadata(&host) {
        Err(_) => Ok(()),
        Ok(metadata) if metadata.is_symlink() => {
            let target = fs::read_link(&host).map_err(at(format!("read {}", host.display())))?;
            symlink(target, root.join(name)).map_err(at(format!("link /{name}")))
        }
        Ok(_) => show(&host, &folder(root, name)?, false),
    }
}

fn settings(root: &Path) -> Result<(), Refused> {
    let etc = folder(root, "etc")?;
    for name in SETTINGS {
        let host = Path::new("/etc").join(name);
        if host.is_dir() {
            show(&host, &folder(&etc, name)?, false)?;
        } else if host.is_file() {
            fs::copy(&host, etc.join(name)).map_err(at(format!("copy /etc/{name}")))?;
        }
    }
    for (name, content) in WRITTEN {
        fs::write(etc.join(name), content).map_err(at(format!("write /etc/{name}")))?;
    }
    Ok(())
}

fn devices(root: &Path) -> Result<(), Refused> {
    let dev = folder(root, "dev")?;
    for name in DEVICES {
        let (host, here) = (Path::new("/dev").join(name), dev.join(name));
        fs::write(&here, "").map_err(at(format!("create /dev/{name}")))?;
        mount(Some(&host), &here, NONE, MsFlags::MS_BIND, NONE).map_err(at(format!("show /dev/{name}")))?;
    }
    for (name, target) in [("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")] {
        symlink(format!("/proc/self/fd{target}"), dev.join(name)).map_err(at(format!("link /dev/{name}")))?;
    }
    Ok(())
}

fn folder(root: &Path, name: impl AsRef<Path>) -> Result<PathBuf, Refused> {
    let path = root.join(name);
    fs::create_dir_all(&path).map_err(at(format!("create {}", path.display())))?;
    Ok(path)
}

/// A file system in memory, empty, of at most `bytes`, that anybody inside may write to if its folder is `/tmp`.
fn temporary(over: &Path, bytes: u64) -> Result<(), Refused> {
    let mode = if over.ends_with("tmp") { "1777" } else { "755" };
    let options = format!("size={bytes},mode={mode},nr_inodes={}", files_max(bytes));
    mount(Some("tmpfs"), over, Some("tmpfs"), HARMLESS, Some(options.as_str()))
        .map_err(at(format!("mount memory over {}", over.display())))
}

fn show(from: &Path, to: &Path, writable: bool) -> Result<(), Refused> {
    mount(Some(from), to, NONE, MsFlags::MS_BIND | MsFlags::MS_REC, NONE)
        .map_err(at(format!("show {}", from.display())))?;
    let rights = if writable { MsFlags::empty() } else { MsFlags::MS_RDONLY };
    // A bind mount takes its rights one mount at a time.
    for point in mounts_below(to).map_err(at("list mounts"))? {
        remount(&point, rights)?;
    }
    Ok(())
}

fn remount(point: &Path, rights: MsFlags) -> Result<(), Refused> {
    // What the host forbids on this mount must be forbidden here too, or the kernel refuses.
    let forbidden = statvfs(point).map_err(at(format!("examine {}", point.display())))?.flags();
    let kept = [
        (FsFlags::ST_RDONLY, MsFlags::MS_RDONLY),
        (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
        (FsFlags::ST_NOATIME, MsFlags::MS_NOATIME),
        (FsFlags::ST_NODIRATIME, MsFlags::MS_NODIRATIME),
        (FsFlags::ST_RELATIME, MsFlags::MS_RELATIME),
    ];
    let mut flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | HARMLESS | rights;
    flags.extend(kept.into_iter().filter(|(flag, _)| forbidden.contains(*flag)).map(|(_, flag)| flag));
    mount(NONE, point, NONE, flags, NONE).map_err(at(format!("protect {}", point.display())))
}

/// The mount points at and below a folder, as this process sees them.
fn mounts_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let table = fs::read_to_string("/proc/self/mountinfo")?;
    let points = table.lines().filter_map(|line| line.split(' ').nth(4)).map(unescape);
    Ok(points.filter(|point| point.starts_with(folder)).collect())
}

/// Spaces and the like are written as three octal digits after a backslash.
fn unescape(field: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let (mut bytes, mut rest) = (Vec::new(), field.as_bytes());
    while let Some((&byte, tail)) = rest.split_first() {
        let code = (byte == b'\\').then(|| tail.get(..3)).flatten();
        let code = code.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        bytes.push(code.unwrap_or(byte));
        rest = if code.is_some() { &tail[3..] } else { tail };
    }
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_with_spaces_are_found() {
        assert_eq!(unescape(r"/a\040b\134c"), Path::new(r"/a b\c"));
        assert_eq!(unescape(r"/plain\"), Path::new(r"/plain\"));
    }

    #[test]
    fn the_root_is_a_mount_and_this_folder_may_be_none() {
        assert!(mounts_below(Path::new("/")).unwrap().contains(&PathBuf::from("/")));
        assert!(mounts_below(Path::new("/no/such/folder")).unwrap().is_empty());
    }
}
