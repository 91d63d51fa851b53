//! The folder for `docker build` in which a request is repeated.

use std::collections::BTreeMap;
use std::fmt::Write;

use synchronicity_verify::request::{BuildRequest, Environment};

use super::{in_lines, quoted};
use crate::invocation;
use crate::lock::Locked;
use crate::recipe::Pinned;
use crate::sandbox::{BUILD_USER, INNER_CARGO_HOME, INNER_SOURCE, INNER_TARGET};
use crate::source::OVERRIDES;
use crate::vendor::{UNPACKED_MARK, dependent};

/// What the sandbox image has beside a compiler: as in `scripts/sandbox-image.sh`, which a test compares.
const PACKAGES: [&str; 11] = [
    "ca-certificates",
    "cmake",
    "g++",
    "gcc",
    "libc6-dev",
    "libsqlite3-dev",
    "libssl-dev",
    "make",
    "perl",
    "pkg-config",
    "zlib1g-dev",
];

/// The files of a folder for `docker build`, by path, whose image builds what `pinned` asks for when it runs and prints
/// the SHA-256 of each artifact. Nothing for a fixture, which nobody can download.
///
/// The compiler comes from Rust's own image of the pinned release; `--build-arg BASE=IMAGE` takes another that has Cargo
/// on its PATH. The system around it is Debian's of that image, and not pinned bit by bit.
///
/// `packages` are of the system, beside those that the sandbox image always has.
pub fn container(pinned: &Pinned, packages: &[String]) -> Option<BTreeMap<&'static str, String>> {
    let Pinned { request, lock, .. } = pinned;
    let root = Locked::published(&request.source)?;
    Some(BTreeMap::from([
        ("Dockerfile", dockerfile(request, packages)),
        ("build.sh", build_script(pinned)),
        ("Cargo.lock", String::from_utf8(lock.clone()).ok()?),
        ("fetch/Cargo.toml", dependent::manifest(&root)),
        ("fetch/Cargo.lock", dependent::lock(&root, lock)),
        ("fetch/lib.rs", String::new()),
    ]))
}

/// Of these files the one that says how: for a request of a crate that was published.
pub fn dockerfile(request: &BuildRequest, packages: &[String]) -> String {
    let BuildRequest { source, toolchain, target, .. } = request;
    let system = match request.environment {
        Environment::Image { layer } => format!("an image with the one layer sha256:{layer}"),
        Environment::Host { fingerprint } => format!("their own hosts, of the fingerprint {fingerprint}"),
    };
    let (name, version, release) = (source.name(), source.version(), &toolchain.release);
    let packages: Vec<_> = PACKAGES.into_iter().chain(packages.iter().map(String::as_str)).collect();
    let (packages, overrides) = (packages.join(" "), OVERRIDES.join(" "));
    format!(
        r#"# Repeats the build of {purl}, as the request {id} pins it:
#
#   docker build --tag rebuild . && docker run --rm --network none --hostname builder rebuild
#
# prints the SHA-256 of each artifact. The builders' system was {system}.
# Another linker or C compiler than theirs can give other bytes.
ARG BASE=rust:{release}-slim-bookworm
FROM ${{BASE}}
RUN apt-get update && apt-get install --yes --no-install-recommends {packages}
ENV CARGO_HOME={INNER_CARGO_HOME}
# Cargo downloads the crate as a dependency of an empty package, by the checksum in fetch/Cargo.lock.
COPY fetch /fetch
RUN cargo fetch --target {target} --manifest-path /fetch/Cargo.toml \
 && cp -r {INNER_CARGO_HOME}/registry/src/*/{name}-{version} {INNER_SOURCE} \
 && cd {INNER_SOURCE} && rm -rf {UNPACKED_MARK} {overrides}
COPY Cargo.lock {INNER_SOURCE}/Cargo.lock
RUN cargo fetch --locked --target {target} --manifest-path {INNER_SOURCE}/Cargo.toml \
 && mkdir {INNER_TARGET} && chown {BUILD_USER}:{BUILD_USER} {INNER_TARGET} && chmod -R a+rX /opt/rustwide
COPY build.sh /build.sh
USER {BUILD_USER}:{BUILD_USER}
CMD ["/bin/sh", "/build.sh"]
"#,
        purl = source.purl(),
        id = request.id(),
    )
}

fn build_script(pinned: &Pinned) -> String {
    let request = &pinned.request;
    let mut script = String::from("set -eu\numask 022\n");
    let mut env = invocation::environment(request);
    // These are the image's own.
    for name in ["PATH", "RUSTUP_HOME"] {
        env.remove(name);
    }
    for (name, value) in env {
        // A shell's word may hold the separator of Cargo's list of flags, but an editor would not show it.
        let value = match value.contains('\x1f') {
            true => {
                let escaped = value.replace('\\', r"\\").replace('\x1f', r"\0037");
                format!("\"$(printf '%b' {})\"", quoted(&escaped))
            }
            false => quoted(&value),
        };
        // Two commands: a shell ends for a failure within an assignment, and not within an export.
        let _ = writeln!(script, "{name}={value}\nexport {name}");
    }
    let words = in_lines(&invocation::arguments(request));
    let folder = invocation::products_folder(request).join("/");
    let _ = writeln!(script, "cd {INNER_SOURCE}\ncargo{words}\ncd {INNER_TARGET}/{folder}");
    for product in &pinned.products {
        let file = match product.as_str().strip_suffix(".rmeta") {
            Some(stem) => format!("deps/{stem}-*.rmeta"),
            None => quoted(product.as_str()),
        };
        let _ = writeln!(script, "sha256sum {file}");
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packages_are_those_of_the_sandbox_image() {
        let script = include_str!("../../../../scripts/sandbox-image.sh");
        assert!(script.contains(&format!("\npackages={}\n", PACKAGES.join(","))));
    }
}
