//! The cargo command and the environment of a build, from the request alone: the same in every sandbox.

use std::collections::BTreeMap;

use synchronicity_verify::request::{BuildRequest, Products};

use crate::sandbox::{INNER_CARGO_HOME, INNER_RUSTUP_HOME, INNER_SOURCE, INNER_TARGET};

/// Steps back behind everything else on the machine: a build must never starve the group's engine. The kernel derives
/// the priority of disk access from it too.
const NICENESS: &str = "10";

const INSTALL_ROOT: &str = "installed";

/// Program and arguments, with inner paths.
pub(crate) fn command(request: &BuildRequest) -> Vec<String> {
    let cargo = format!("{}/bin/cargo", toolchain_folder(request));
    let words = ["/usr/bin/nice", "-n", NICENESS, &cargo].map(String::from);
    words.into_iter().chain(arguments(request)).collect()
}

/// The arguments of Cargo in a sandbox.
pub(crate) fn arguments(request: &BuildRequest) -> Vec<String> {
    let mut words = cargo_words(request);
    words.extend(["--offline", "--color", "never"].map(String::from));
    if request.products == Products::Installed {
        // Cargo moves what it installs into a folder of its own: here one within the target folder.
        words.extend([format!("--root={INNER_TARGET}/{INSTALL_ROOT}"), "--no-track".into()]);
    }
    words
}

/// Cargo's command and what of its arguments the request pins.
pub(crate) fn cargo_words(request: &BuildRequest) -> Vec<String> {
    let (name, version) = (request.source.name(), request.source.version());
    let mut words = match request.products {
        Products::Binaries => vec!["build".into(), "--bins".into()],
        Products::Library => vec!["build".into(), "--lib".into()],
        Products::Installed => vec!["install".into(), name.to_string(), format!("--version=={version}")],
    };
    words.extend(["--profile", &request.profile, "--locked"].map(String::from));
    words.push(format!("--jobs={}", request.limits.jobs));
    if request.features.all {
        words.push("--all-features".into());
    }
    if !request.features.default {
        words.push("--no-default-features".into());
    }
    if !request.features.named.is_empty() {
        words.push(format!("--features={}", request.features.named.join(",")));
    }
    words
}

/// Where in the target folder the executables and libraries are after [`command`], from the outer folder to the inner.
pub(crate) fn products_folder(request: &BuildRequest) -> &'static [&'static str] {
    match request.products {
        Products::Binaries | Products::Library => &["release"],
        Products::Installed => &[INSTALL_ROOT, "bin"],
    }
}

/// The whole environment: what the request pins, overlaid by what every sandbox fixes.
pub(crate) fn environment(request: &BuildRequest) -> BTreeMap<String, String> {
    let mut env = request.env.clone();
    let path = format!("{}/bin:/usr/bin:/bin", toolchain_folder(request));
    let fixed = [
        ("PATH", path.as_str()),
        ("HOME", "/tmp"),
        ("USER", "builder"),
        ("LOGNAME", "builder"),
        ("LANG", "C.UTF-8"),
        ("LC_ALL", "C.UTF-8"),
        ("TZ", "UTC"),
        ("TMPDIR", "/tmp"),
        ("SOURCE_DIR", INNER_SOURCE),
        ("CARGO_HOME", INNER_CARGO_HOME),
        ("CARGO_TARGET_DIR", INNER_TARGET),
        ("CARGO_INCREMENTAL", "0"),
        ("CARGO_NET_OFFLINE", "true"),
        ("RUSTUP_HOME", INNER_RUSTUP_HOME),
        // The separator of the encoded form cannot be part of a flag: the request allows no control character.
        ("CARGO_ENCODED_RUSTFLAGS", &request.rustflags.join("\x1f")),
    ];
    env.extend(fixed.map(|(name, value)| (name.to_owned(), value.to_owned())));
    if request.rustflags.is_empty() {
        env.remove("CARGO_ENCODED_RUSTFLAGS");
    }
    env
}

/// The pinned toolchain's folder inside.
fn toolchain_folder(request: &BuildRequest) -> String {
    format!("{INNER_RUSTUP_HOME}/toolchains/{}", crate::seed::toolchain_name(&request.toolchain))
}
