//! What `recipe` writes for people, used as they would: without this program, and outside of every sandbox.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use libtest_mimic::Failed;
use synchronicity_rebuild::bench::SandboxChoice;
use synchronicity_rebuild::by_hand;
use synchronicity_rebuild::image::IMAGE;
use synchronicity_rebuild::recipe::Pinned;
use synchronicity_verify::digest::Digest;
use synchronicity_verify::request::Products;

use crate::builds::Workshop;

/// Executables as `cargo install` builds them, and a library.
const CRATES: [&str; 2] = ["diffr@0.1.5", "hex@0.4.3"];

/// The script alone, in a home and a folder of the user's.
pub(crate) fn install_script() -> Result<(), Failed> {
    let workshop = Workshop::open(SandboxChoice::Embedded)?;
    let pinned = workshop.pin("diffr@0.1.5", |_| {})?;
    assert_eq!(pinned.request.products, Products::Installed);
    let outcome = workshop.build(&pinned)?;
    let home = tempfile::tempdir()?;
    let path = std::env::join_paths([workshop.bench.sysroot().join("bin"), "/usr/bin".into(), "/bin".into()])?;
    let output = Command::new("/bin/sh")
        .args(["-c", &by_hand::install_script(&pinned.request).ok_or("no script for what is installed")?])
        .env_clear()
        .envs([("HOME", home.path()), ("ROOT", &home.path().join("a root")), ("TMPDIR", home.path())])
        .env("PATH", path)
        .output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let installed = Digest::of(&fs::read(home.path().join("a root/bin/diffr"))?);
    let artifact = &outcome.result.artifacts().ok_or("no artifacts")?.as_slice()[0];
    assert_eq!(artifact.sha256, installed);
    Ok(())
}

/// By `docker build` and `docker run`, as they are.
pub(crate) fn dockerfile() -> Result<(), Failed> {
    let workshop = Workshop::open(SandboxChoice::Docker)?;
    let name = format!("synchronicity-test-{}", std::process::id());
    let base = Removed(format!("{name}:base"));
    // Rust's own image, on which the Dockerfile stands for everybody else, is not to be had on every machine that tests.
    image_with_compiler(&base.0, &workshop.bench.sysroot())?;
    for spec in CRATES {
        let pinned = workshop.pin(spec, |_| {})?;
        let outcome = workshop.build(&pinned)?;
        let artifacts = outcome.result.artifacts().ok_or_else(|| format!("{spec}: {:?}", outcome.result))?;
        let agreed: BTreeMap<_, _> =
            artifacts.as_slice().iter().map(|it| (it.name.to_string(), it.sha256.to_string())).collect();
        let repeat = Removed(format!("{name}:repeat"));
        assert_eq!(by_hand_in(&base.0, &repeat.0, &pinned)?, agreed, "{spec}");
    }
    Ok(())
}

/// Builds and runs; gives artifact names with the digests that the container printed.
fn by_hand_in(base: &str, tag: &str, pinned: &Pinned) -> Result<BTreeMap<String, String>, Failed> {
    let folder = tempfile::tempdir()?;
    for (name, text) in by_hand::container(pinned, &[]).ok_or("no folder for a crate that was published")? {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().ok_or("no folder")?)?;
        fs::write(path, text)?;
    }
    let context = folder.path().to_str().ok_or("a folder whose name is no text")?;
    let from = format!("BASE={base}");
    docker(&["build", "--network", "host", "--build-arg", &from, "--tag", tag, context])?;
    let printed = docker(&["run", "--rm", "--network", "none", "--hostname", "builder", tag])?;
    let digests = printed.lines().filter_map(|line| line.split_once("  "));
    Ok(digests.map(|(digest, file)| (product(file), digest.to_owned())).collect())
}

/// The name without the folder and hash that Cargo gives to metadata: `deps/libhex-0123456789abcdef.rmeta` is `libhex.rmeta`.
fn product(file: &str) -> String {
    let file = file.trim_start_matches("deps/");
    match file.strip_suffix(".rmeta").and_then(|stem| stem.rsplit_once('-')) {
        Some((stem, _)) => format!("{stem}.rmeta"),
        None => file.to_owned(),
    }
}

/// The sandbox image with this machine's compiler, and with the authorities that this machine trusts for downloads.
fn image_with_compiler(tag: &str, sysroot: &Path) -> Result<(), Failed> {
    let container = docker(&["create", IMAGE, "true"])?;
    let container = container.trim();
    let copied = || -> Result<(), Failed> {
        let sysroot = sysroot.to_str().ok_or("a toolchain whose folder is no text")?;
        docker(&["cp", &format!("{sysroot}/."), &format!("{container}:/opt/rust")])?;
        let authorities = "/etc/ssl/certs/ca-certificates.crt";
        docker(&["cp", "--follow-link", authorities, &format!("{container}:{authorities}")])?;
        let path = "ENV PATH=/opt/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        docker(&["commit", "--change", path, container, tag]).map(|_| ())
    };
    let copied = copied();
    docker(&["rm", container])?;
    copied
}

fn docker(arguments: &[&str]) -> Result<String, Failed> {
    let output = Command::new("docker").args(arguments).output()?;
    if !output.status.success() {
        return Err(format!("docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// An image that is gone when the test ends, however it ends.
struct Removed(String);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rmi", "--force", &self.0]).output();
    }
}
