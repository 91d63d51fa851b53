//! The toolchain of builds: frozen from this machine, once, so that nothing is downloaded and nothing can change under
//! a build.
//!
//! rustwide would fetch rustup and a toolchain from the Rust release servers and update both at every start. Builds
//! must use the pinned toolchain and no other, so its files are linked into a folder of ours and rustwide is given a
//! stub in place of rustup, whether the servers answer or not.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use synchronicity_verify::request::Toolchain;

use crate::host_cargo::{CargoError, HostCargo};

/// This machine's toolchain cannot be used for builds.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// No rustc, or one that does not work.
    #[error("rustc cannot be run ({0}): install Rust by rustup")]
    Rustc(String),
    /// A toolchain without Cargo, or one that does not say what it is.
    #[error(transparent)]
    Cargo(#[from] CargoError),
    /// A toolchain that is spread over the system.
    #[error("the toolchain at {} is not in a folder of its own: install Rust by rustup", .0.display())]
    Shared(PathBuf),
    /// Linking or copying it failed.
    #[error("freezing the toolchain at {}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

/// A toolchain that is installed on this machine.
#[derive(Debug, Clone)]
pub struct Installed {
    /// What requests pin.
    pub toolchain: Toolchain,
    /// Its Cargo, for work on the host.
    pub cargo: HostCargo,
    /// Its folder, with `bin` and `lib`.
    pub sysroot: PathBuf,
}

/// Folder name of a toolchain in a rustup home, as rustup itself would name it: `1.95.0-x86_64-unknown-linux-gnu`.
pub(crate) fn toolchain_name(toolchain: &Toolchain) -> String {
    format!("{}-{}", toolchain.release, toolchain.host)
}

/// The toolchain that `rustc` on this machine's PATH belongs to.
pub fn installed() -> Result<Installed, SeedError> {
    // Not in the folder of some project, which may ask rustup for a toolchain of its own.
    let output = Command::new("rustc")
        .arg("--print=sysroot")
        .current_dir("/")
        .output()
        .map_err(|error| SeedError::Rustc(error.to_string()))?;
    if !output.status.success() {
        return Err(SeedError::Rustc(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    let sysroot = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if ["/", "/usr", "/usr/local"].iter().any(|root| sysroot == Path::new(root)) {
        return Err(SeedError::Shared(sysroot));
    }
    let cargo = HostCargo::in_sysroot(&sysroot)?;
    Ok(Installed { toolchain: cargo.toolchain()?, cargo, sysroot })
}

/// Makes sure that `rustup_home/toolchains/` has a frozen copy of `installed`; cheap when it is there already.
///
/// Files are hard links where the file system and its owner allow it, else copies. Safe to call at the same time from
/// several processes with one `rustup_home`.
pub(crate) fn freeze(installed: &Installed, rustup_home: &Path) -> Result<(), SeedError> {
    let toolchains = rustup_home.join("toolchains");
    let frozen = toolchains.join(toolchain_name(&installed.toolchain));
    let marked = fs::read_to_string(frozen.join(MARK)).is_ok_and(|commit| commit == installed.toolchain.commit);
    if marked {
        return Ok(());
    }
    let here = |source| SeedError::File { path: toolchains.clone(), source };
    create_readable(rustup_home).and_then(|()| create_readable(&toolchains)).map_err(here)?;
    // Under another name until it is whole: a crash must not leave half a toolchain that looks like one.
    let partial = tempfile::Builder::new().prefix(".partial-").tempdir_in(&toolchains).map_err(here)?;
    fs::set_permissions(partial.path(), Permissions::from_mode(0o755)).map_err(here)?;
    for part in ["bin", "lib", "libexec"] {
        let from = installed.sysroot.join(part);
        if from.is_dir() {
            link_tree(&from, &partial.path().join(part))?;
        }
    }
    fs::write(partial.path().join(MARK), &installed.toolchain.commit).map_err(here)?;
    // A toolchain of the same release and another commit (a distribution's own build) makes way.
    crate::folder::wipe(&frozen).map_err(here)?;
    match fs::rename(partial.keep(), &frozen) {
        Err(_) if frozen.join(MARK).exists() => Ok(()), // another process was faster
        done => done.map_err(here),
    }
}

/// The file in a frozen toolchain that says that it is whole, and of which commit.
const MARK: &str = "frozen-commit";

/// Readable by the user that builds run as, whatever the umask of this process.
fn create_readable(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o755))
}

fn link_tree(from: &Path, to: &Path) -> Result<(), SeedError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| SeedError::File { path, source }
    };
    create_readable(to).map_err(at(to))?;
    for entry in fs::read_dir(from).map_err(at(from))? {
        let entry = entry.map_err(at(from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        // Links are resolved: what is frozen must not point out of its folder.
        let metadata = fs::metadata(&source).map_err(at(&source))?;
        if metadata.is_dir() {
            link_tree(&source, &target)?;
        } else if fs::hard_link(fs::canonicalize(&source).map_err(at(&source))?, &target).is_err() {
            fs::copy(&source, &target).map_err(at(&source))?;
        }
    }
    Ok(())
}

/// Puts the stand-ins for rustup, cargo and rustc into `cargo_home/bin`, for rustwide's use on the host: as `rustup`
/// and for `cargo install` they do nothing, everything else goes to the toolchain at `sysroot` without network.
pub(crate) fn place_stubs(cargo_home: &Path, sysroot: &Path) -> io::Result<()> {
    let bin = cargo_home.join("bin");
    fs::create_dir_all(&bin)?;
    let quoted = sysroot.display().to_string().replace('\'', r"'\''");
    let stub = format!(
        "#!/bin/sh\n\
         case \"$0\" in */rustup|*/git-credential-null) exit 0 ;; esac\n\
         case \"$1\" in +*) shift ;; esac\n\
         [ \"$1\" != install ] || exit 0\n\
         export RUSTC='{quoted}'/bin/rustc CARGO_NET_OFFLINE=true\n\
         exec '{quoted}'/bin/\"${{0##*/}}\" \"$@\"\n"
    );
    for name in ["rustup", "cargo", "rustc", "git-credential-null"] {
        // Replaced as a whole: another build may be running the old one.
        let mut file = tempfile::NamedTempFile::new_in(&bin)?;
        io::Write::write_all(&mut file, stub.as_bytes())?;
        file.as_file().set_permissions(Permissions::from_mode(0o755))?;
        file.persist(bin.join(name)).map_err(|error| error.error)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_installed_toolchain_freezes_once_and_stays_usable() {
        let installed = installed().unwrap();
        let home = tempfile::tempdir().unwrap();
        freeze(&installed, home.path()).unwrap();
        freeze(&installed, home.path()).unwrap();
        let folders: Vec<_> = fs::read_dir(home.path().join("toolchains")).unwrap().flatten().collect();
        assert_eq!(folders.len(), 1);
        let rustc = folders[0].path().join("bin/rustc");
        let output = Command::new(rustc).arg("-vV").output().unwrap();
        assert!(String::from_utf8_lossy(&output.stdout).contains(&installed.toolchain.commit));
    }

    #[test]
    fn the_stubs_install_nothing_and_run_the_pinned_toolchain() {
        let installed = installed().unwrap();
        let home = tempfile::tempdir().unwrap();
        place_stubs(home.path(), &installed.sysroot).unwrap();
        let run = |name: &str, arguments: &[&str]| {
            let output = Command::new(home.path().join("bin").join(name)).args(arguments).output().unwrap();
            assert!(output.status.success());
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        assert_eq!(run("rustup", &["self", "update"]), "");
        assert_eq!(run("cargo", &["+stable", "install", "git-credential-null"]), "");
        assert!(run("rustc", &["+stable", "-vV"]).contains(&installed.toolchain.commit));
    }
}
