//! The crates that simulated groups rebuild, and what building them really gives.
//!
//! A crate's name says how it behaves, so that a trace can be read without a key: `steady-…` builds to the same bytes
//! everywhere, `network-…` fails everywhere in the same way, `clock-…` embeds something that differs by builder.

use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::BuilderId;
use synchronicity_verify::recipe;
use synchronicity_verify::request::{
    BuildRequest, Environment, Features, Limits, Lock, LockGrade, Products, Source, Toolchain,
};
use synchronicity_verify::result::{Artifact, Artifacts, BuildResult, Failure};

/// The lock of every simulated request.
pub const LOCK: &[u8] = b"version = 4\n";

/// The request for a crate by its name.
///
/// # Panics
/// For a name that no crate can have.
pub fn request(name: &str) -> BuildRequest {
    let source = Source::Registry {
        name: name.parse().expect("a simulated crate has a crate's name"),
        version: "1.0.0".parse().expect("this is a version"),
        checksum: Digest::of(name.as_bytes()),
    };
    let toolchain =
        Toolchain { release: "1.95.0".into(), commit: "0".repeat(40), host: "x86_64-unknown-linux-gnu".into() };
    let limits = Limits {
        memory_bytes: 1 << 30,
        time_seconds: 600,
        disk_bytes: 1 << 30,
        processes: 512,
        transcript_bytes: 1 << 20,
        jobs: 2,
    };
    BuildRequest {
        schema: 1,
        source,
        lock: Lock { grade: LockGrade::Published, sha256: Digest::of(LOCK) },
        toolchain,
        environment: Environment::Image { layer: Digest::of(b"simulated layer") },
        target: "x86_64-unknown-linux-gnu".into(),
        profile: "release".into(),
        features: Features { default: true, all: false, named: Vec::new() },
        products: Products::Binaries,
        env: recipe::env(),
        rustflags: recipe::rustflags(),
        limits,
    }
}

/// What an honest builder gets.
pub fn build(request: &BuildRequest, builder: &BuilderId) -> BuildResult {
    let name = request.source.name().as_str();
    match name.split('-').next() {
        Some("network") => BuildResult::Failed(Failure::Network),
        Some("clock") => artifact(&[name.as_bytes(), &builder.0]),
        _ => artifact(&[name.as_bytes()]),
    }
}

/// Whether honest builders all get the same.
pub fn is_deterministic(request: &BuildRequest) -> bool {
    !request.source.name().as_str().starts_with("clock-")
}

/// What somebody claims who did not build: never what an honest build gives. Liars of the same faction agree.
pub fn lie(request: &BuildRequest, faction: &[u8]) -> BuildResult {
    artifact(&[request.source.name().as_str().as_bytes(), b"lie", faction])
}

fn artifact(content: &[&[u8]]) -> BuildResult {
    let artifact = Artifact {
        name: "tool".parse().expect("this is an artifact's name"),
        size: 4096,
        sha256: Digest::tagged("simulated artifact", content),
    };
    BuildResult::Built(Artifacts::new(vec![artifact]).expect("one artifact is a list of artifacts"))
}
