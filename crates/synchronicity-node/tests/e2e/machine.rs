//! What this machine can run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use synchronicity_rebuild::registry::Registry;

use crate::devnet::PROGRAM;

/// Something that a test needs and a machine may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// A Docker daemon that answers, and the project's image.
    Docker,
    /// User namespaces and the rest that the embedded sandbox is made of.
    Embedded,
    /// crates.io, or what stands for it here.
    Registry,
    /// The right to mount a file system.
    Mounts,
    /// Debian's libfaketime.
    Faketime,
    /// The right to trace a process of one's own.
    Tracing,
    /// A server of the S3 protocol.
    S3,
    /// in-toto and securesystemslib, as `scripts/attest-tools.sh` installs them.
    AttestTools,
    /// The program cosign.
    CosignTool,
    /// schemathesis, as `scripts/api-tools.sh` installs it.
    Schemathesis,
    /// Chromium and its driver, as `scripts/browser-tools.sh` installs them.
    Browser,
}

impl Need {
    /// Whether whoever runs the tests has seen it work on this machine, by other means than ours.
    pub(crate) fn is_required(self) -> bool {
        let name = format!("{self:?}").to_lowercase();
        std::env::var("SYNCHRONICITY_REQUIRE").is_ok_and(|list| list.split(',').any(|required| required == name))
    }
}

/// For each need that is not met, why.
pub(crate) struct Machine(Vec<(Need, String)>);

impl Machine {
    /// Asks the program's own doctor, and the registry.
    pub(crate) fn look() -> Self {
        let doctor = Command::new(PROGRAM).args(["doctor", "--json"]).stdin(Stdio::null()).output().unwrap();
        let told: Value = serde_json::from_slice(&doctor.stdout).unwrap();
        let found = [
            (Need::Docker, good(&told, "docker daemon").and_then(|()| good(&told, "docker image"))),
            (Need::Embedded, good(&told, "embedded sandbox")),
            (Need::Registry, registry()),
            (Need::Mounts, mounts()),
            (Need::Tracing, tracing()),
            (Need::Faketime, faketime().map(drop).ok_or("there is no libfaketime: install `faketime`".to_owned())),
            (Need::S3, s3()),
            (Need::AttestTools, attest_tools()),
            (Need::CosignTool, cosign_tool()),
            (Need::Schemathesis, schemathesis()),
            (Need::Browser, crate::webdriver::is_there()),
        ];
        Self(found.into_iter().filter_map(|(need, why)| Some((need, why.err()?))).collect())
    }

    /// Why `need` is not met, if it is not.
    pub(crate) fn misses(&self, need: Need) -> Option<&str> {
        self.0.iter().find(|(missing, _)| *missing == need).map(|(_, why)| why.as_str())
    }
}

fn good(doctor: &Value, what: &str) -> Result<(), String> {
    let finding = doctor["findings"].as_array().unwrap().iter().find(|finding| finding["what"] == what);
    let finding = finding.unwrap_or_else(|| panic!("the doctor no longer looks at {what}: {doctor}"));
    if finding["state"] == "good" { Ok(()) } else { Err(format!("{what}: {}", finding["text"])) }
}

fn attest_tools() -> Result<(), String> {
    let there = crate::attest::tools().join("in-toto-verify").is_file();
    there.then_some(()).ok_or("there is no in-toto: run scripts/attest-tools.sh".to_owned())
}

fn schemathesis() -> Result<(), String> {
    let there = crate::api_document::program().is_file();
    there.then_some(()).ok_or("there is no schemathesis: run scripts/api-tools.sh".to_owned())
}

fn cosign_tool() -> Result<(), String> {
    let there = Command::new("cosign").arg("version").output().is_ok_and(|output| output.status.success());
    there.then_some(()).ok_or("there is no cosign: `verify-blob-attestation` is not shown here".to_owned())
}

fn registry() -> Result<(), String> {
    let cache = tempfile::tempdir().unwrap();
    let registry = Registry::crates_io(cache.path()).unwrap();
    let found = registry.resolve(&"fnv".parse().unwrap(), None, "1.95.0");
    found.map(drop).map_err(|error| format!("the registry does not answer: {error}"))
}

fn mounts() -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    Tmpfs::mount(&folder.path().join("disk"), "1m").map(drop)
}

fn tracing() -> Result<(), String> {
    let done =
        Command::new(std::env::current_exe().unwrap()).arg(crate::append_path::PROBE).stdin(Stdio::null()).status();
    let allowed = done.is_ok_and(|status| status.success());
    if allowed { Ok(()) } else { Err("no process may be traced here (ptrace, as in some containers)".to_owned()) }
}

fn s3() -> Result<(), String> {
    let program = crate::s3::moto();
    let missing = || format!("there is no {}: run scripts/s3-tools.sh", program.display());
    program.is_file().then_some(()).ok_or_else(missing)
}

/// What is left of a file system that was made small.
const SPARE_BYTES: u64 = 64 << 10;

/// A small file system in memory, gone with the test.
pub(crate) struct Tmpfs(PathBuf);

impl Tmpfs {
    /// Makes `folder` and mounts `size` bytes there, as mount(8) spells sizes.
    pub(crate) fn mount(folder: &Path, size: &str) -> Result<Self, String> {
        fs::create_dir(folder).unwrap();
        let options = format!("size={size},mode=700");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder).output();
        let mount = mount.map_err(|error| format!("mount: {error}"))?;
        if mount.status.success() {
            return Ok(Self(folder.to_owned()));
        }
        Err(format!("no file system can be mounted: {}", String::from_utf8_lossy(&mount.stderr).trim()))
    }
}

impl Tmpfs {
    /// Gives it another size.
    pub(crate) fn resize(&self, size: &str) -> bool {
        let options = format!("remount,size={size}");
        Command::new("mount").args(["-o", &options]).arg(&self.0).stderr(Stdio::null()).status().unwrap().success()
    }

    /// Leaves next to no room beyond what is in it.
    pub(crate) fn shrink(&self) {
        // It may grow meanwhile, and cannot become smaller than what is in it.
        let shrunk = (0..50).any(|_| {
            let now = rustix::fs::statvfs(&self.0).unwrap();
            let used = (now.f_blocks - now.f_bfree) * now.f_frsize;
            self.resize(&(used + SPARE_BYTES).to_string())
        });
        assert!(shrunk, "the file system at {} cannot be made smaller", self.0.display());
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily: a process that still ends there must not keep it mounted for ever.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// The library that shows a process another time; the kind for programs with threads.
pub(crate) fn faketime() -> Option<PathBuf> {
    let triples = fs::read_dir("/usr/lib").ok()?.filter_map(Result::ok);
    let libraries = triples.map(|triple| triple.path().join("faketime/libfaketimeMT.so.1"));
    libraries.into_iter().find(|library| library.is_file())
}
