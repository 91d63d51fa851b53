//! The fingerprint of a host: which compiler driver, linker and C library a build in the embedded sandbox meets.
//!
//! The embedded sandbox shows the host's own system, so builders that use it agree only on hosts with the same tools. The
//! fingerprint says so beforehand: a request made for one host is refused by another, instead of ending `diverged`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};
use synchronicity_verify::digest::Digest;
use synchronicity_verify::request::Toolchain;

/// The path that builds have, beside the toolchain's own.
const PATH: &str = "/usr/bin:/bin";
/// Programs that compile and link, or that build scripts use to decide what to compile.
const PROGRAMS: [&str; 13] =
    ["cc", "gcc", "c++", "g++", "ld", "as", "ar", "ranlib", "make", "cmake", "pkg-config", "perl", "python3"];
/// Programs that `cc` runs, by the name it finds them under.
const INNER_PROGRAMS: [&str; 3] = ["cc1", "cc1plus", "collect2"];
/// Files that `cc` links into executables, and headers that every C program sees.
const LINKED: [&str; 11] = [
    "Scrt1.o",
    "crt1.o",
    "crti.o",
    "crtn.o",
    "crtbeginS.o",
    "crtendS.o",
    "libc.so.6",
    "libm.so.6",
    "libc_nonshared.a",
    "libgcc.a",
    "libgcc_s.so.1",
];

/// No linker, so nothing can be built.
#[derive(Debug, thiserror::Error)]
#[error(
    "there is no C compiler at /usr/bin/cc, which Rust needs to link: install gcc (Debian: apt-get install gcc libc6-dev)"
)]
pub struct NoCompiler;

/// `tagged("synchronicity/host/v1", …)` over the compiler's commit and, for every tool and file in a fixed order, its
/// name and the SHA-256 of its content (nothing for one that is not there).
pub(crate) fn of_this_host(toolchain: &Toolchain) -> Result<Digest, NoCompiler> {
    let compiler =
        ["/usr/bin/cc", "/bin/cc"].map(Path::new).into_iter().find(|path| path.exists()).ok_or(NoCompiler)?;
    let mut parts: Vec<Vec<u8>> = vec![toolchain.commit.clone().into_bytes()];
    let mut add = |name: &str, path: Option<PathBuf>| {
        parts.push(name.as_bytes().to_vec());
        parts.push(path.and_then(|path| hash(&path)).unwrap_or_default());
    };
    for name in PROGRAMS {
        let found = PATH.split(':').map(|folder| Path::new(folder).join(name)).find(|path| path.exists());
        add(name, found);
    }
    for name in INNER_PROGRAMS {
        add(name, ask(compiler, "-print-prog-name=", name));
    }
    for name in LINKED {
        add(name, ask(compiler, "-print-file-name=", name));
    }
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    Ok(Digest::tagged("synchronicity/host/v1", &parts))
}

/// Where the compiler finds a file; it repeats the bare name of one that it does not find.
fn ask(compiler: &Path, question: &str, name: &str) -> Option<PathBuf> {
    let output = Command::new(compiler).arg(format!("{question}{name}")).env_clear().env("PATH", PATH).output().ok()?;
    let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    path.is_absolute().then_some(path)
}

fn hash(path: &Path) -> Option<Vec<u8>> {
    let mut file = fs::File::open(path).ok()?;
    let mut hash = Sha256::new();
    std::io::copy(&mut file, &mut HashWriter(&mut hash)).ok()?;
    Some(hash.finalize().to_vec())
}

/// The hash crate no longer writes by itself.
struct HashWriter<'a>(&'a mut Sha256);

impl std::io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toolchain(commit: &str) -> Toolchain {
        Toolchain { release: "1.95.0".into(), commit: commit.into(), host: "x86_64-unknown-linux-gnu".into() }
    }

    #[test]
    fn a_host_keeps_its_fingerprint_and_another_compiler_changes_it() {
        let here = of_this_host(&toolchain("a")).unwrap();
        assert_eq!(of_this_host(&toolchain("a")).unwrap(), here);
        assert_ne!(of_this_host(&toolchain("b")).unwrap(), here);
    }

    #[test]
    fn the_linker_and_the_c_library_are_found_on_this_host() {
        let compiler = Path::new("/usr/bin/cc");
        assert!(ask(compiler, "-print-file-name=", "libc.so.6").and_then(|path| hash(&path)).is_some());
        assert!(ask(compiler, "-print-prog-name=", "collect2").and_then(|path| hash(&path)).is_some());
        assert_eq!(ask(compiler, "-print-file-name=", "no-such-file"), None);
    }
}
