//! The crates that simulated groups rebuild, and what building them really gives.
//!
//! A crate's name says how it behaves, so that a trace can be read without a key: `steady-…` builds to the same bytes
//! everywhere, `network-…` fails everywhere in the same way, `clock-…` embeds something that differs by builder.

use synchronicity_verify::digest::Digest;
use synchronicity_verify::identity::BuilderId;
use synchronicity_verify::request::BuildRequest;
use synchronicity_verify::result::{Artifact, Artifacts, BuildResult, Failure};

pub use synchronicity_samples::{LOCK, request};

/// What an honest builder gets.
pub fn build(request: &BuildRequest, builder: &BuilderId) -> BuildResult {
    let name = request.source.name().as_str();
    match name.split('-').next() {
        Some("network") => BuildResult::Failed(Failure::Network),
        Some("clock") => artifact(&[name.as_bytes(), &builder.0]),
        _ => artifact(&[name.as_bytes()]),
    }
}

/// How the names of crates begin that a flooder asks for.
pub const FLOOD: &str = "steady-flood-";

/// Whether honest builders all get the same, and somebody other than a flooder wants it.
pub fn is_reproducible(request: &BuildRequest) -> bool {
    let name = request.source.name().as_str();
    !name.starts_with("clock-") && !name.starts_with(FLOOD)
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
