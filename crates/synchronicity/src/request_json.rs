//! A request as JSON, for people and scripts. The canonical bytes come along: the identity is theirs, not the JSON's.

use std::fmt::Write;

use serde_json::{Value, json};
use synchronicity_verify::request::{BuildRequest, Environment};

/// The JSON of a request.
pub fn of(request: &BuildRequest) -> Value {
    let environment = match &request.environment {
        Environment::Image { layer } => json!({ "image_layer": layer.to_string() }),
        Environment::Host { fingerprint } => json!({ "host_fingerprint": fingerprint.to_string() }),
    };
    let limits = &request.limits;
    json!({
        "id": request.id().to_string(),
        "purl": request.source.purl(),
        "checksum": request.source.checksum().to_string(),
        "lock": {
            "grade": request.lock.grade.name(),
            "sha256": request.lock.sha256.to_string(),
        },
        "toolchain": {
            "release": request.toolchain.release,
            "commit": request.toolchain.commit,
            "host": request.toolchain.host,
        },
        "environment": environment,
        "target": request.target,
        "profile": request.profile,
        "features": {
            "default": request.features.default,
            "all": request.features.all,
            "named": request.features.named,
        },
        "products": request.products.name(),
        "env": request.env,
        "rustflags": request.rustflags,
        "limits": {
            "memory_bytes": limits.memory_bytes,
            "time_seconds": limits.time_seconds,
            "disk_bytes": limits.disk_bytes,
            "processes": limits.processes,
            "transcript_bytes": limits.transcript_bytes,
            "jobs": limits.jobs,
        },
        "cbor_hex": hex(&request.to_bytes()),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing into a String has no failure");
        text
    })
}
