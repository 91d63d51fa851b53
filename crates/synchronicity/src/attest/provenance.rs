//! One builder's statement about its own build: SLSA provenance v1.
//!
//! `docs/attestations.md` documents the build type and each field. The times at which a build began and ended are not in
//! it: no entry knows them.

use serde_json::{Value, json};
use synchronicity_core::group::Member;
use synchronicity_verify::entry::MemberRecord;
use synchronicity_verify::identity::BuilderId;
use synchronicity_verify::request::{BuildRequest, Environment};

use super::evidence::Evidence;
use super::statement::{builder_uri, entry_descriptor, statement};

/// The predicate.
pub const PREDICATE_TYPE: &str = "https://slsa.dev/provenance/v1";

/// How external parameters are to be read: the recipe for crates, version 1. A name that nobody else can own.
pub const BUILD_TYPE: &str = "https://synchronicity.example/attestations/cargo-rebuild/v1";

/// The statement of `builder`, in canonical JSON; `None` if it did not reveal the agreed artifacts.
pub fn provenance(evidence: &Evidence<'_>, builder: &BuilderId) -> Option<Vec<u8>> {
    let member = evidence.group().member(builder)?;
    let record = evidence.record(builder)?;
    Some(statement(evidence, PREDICATE_TYPE, predicate(evidence, member, record)))
}

fn predicate(evidence: &Evidence<'_>, member: &Member, record: &MemberRecord) -> Value {
    let (entry, request) = (evidence.entry(), &evidence.entry().request);
    let reveal = record
        .attestation
        .map(|reveal| json!({ "name": "reveal", "digest": { "synchronicity-command-v1": reveal.to_string() } }));
    let byproducts: Vec<Value> = [entry_descriptor(evidence)].into_iter().chain(reveal).collect();
    json!({
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": external(request),
            "internalParameters": internal(request),
            "resolvedDependencies": dependencies(request),
        },
        "runDetails": {
            "builder": { "id": builder_uri(evidence, member) },
            "metadata": { "invocationId": format!("{}/{}", request.id(), entry.round) },
            "byproducts": byproducts,
        },
    })
}

/// What whoever submitted the request chose.
fn external(request: &BuildRequest) -> Value {
    let features = &request.features;
    json!({
        "purl": request.source.purl(),
        "version": request.source.version().as_str(),
        "features": { "default": features.default, "all": features.all, "named": features.named },
        "products": request.products.name(),
        "target": request.target,
        "lock": request.lock.grade.name(),
    })
}

/// What the standard recipe fixes, and what the build might use.
fn internal(request: &BuildRequest) -> Value {
    let limits = &request.limits;
    json!({
        "profile": request.profile,
        "env": request.env,
        "rustflags": request.rustflags,
        "limits": {
            "memoryBytes": limits.memory_bytes,
            "timeSeconds": limits.time_seconds,
            "diskBytes": limits.disk_bytes,
            "processes": limits.processes,
            "transcriptBytes": limits.transcript_bytes,
            "jobs": limits.jobs,
        },
    })
}

fn dependencies(request: &BuildRequest) -> Value {
    let (source, toolchain) = (&request.source, &request.toolchain);
    let environment = match request.environment {
        Environment::Image { layer } => json!({ "name": "image-layer", "digest": { "sha256": layer.to_string() } }),
        // Not the hash of one file, so it must not pass for one.
        Environment::Host { fingerprint } => {
            json!({ "name": "host", "digest": { "synchronicity-host-v1": fingerprint.to_string() } })
        }
    };
    json!([
        { "name": "source", "uri": source.purl(), "digest": { "sha256": source.checksum().to_string() } },
        { "name": "Cargo.lock", "digest": { "sha256": request.lock.sha256.to_string() } },
        {
            "name": "rustc",
            "uri": format!("git+https://github.com/rust-lang/rust@{}", toolchain.commit),
            "digest": { "gitCommit": toolchain.commit },
            "annotations": { "release": toolchain.release, "host": toolchain.host },
        },
        environment,
    ])
}
