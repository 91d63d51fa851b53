//! A made-up request that every group admits, for tests and simulations of what happens to requests. Nobody builds it.
#![forbid(unsafe_code)]

use synchronicity_verify::digest::Digest;
use synchronicity_verify::recipe;
use synchronicity_verify::request::{
    BuildRequest, Environment, Features, Limits, Lock, LockGrade, Products, REQUEST_SCHEMA, Source, Toolchain,
};

/// The lock that the request names by hash.
pub const LOCK: &[u8] = b"version = 4\n";

/// For the executables of version 1.0.0 of a crate, by the standard recipe. Other names give other requests.
///
/// # Panics
/// For a name that no crate can have.
pub fn request(name: &str) -> BuildRequest {
    let target = "x86_64-unknown-linux-gnu";
    let products = Products::Binaries;
    BuildRequest {
        schema: REQUEST_SCHEMA,
        source: Source::Registry {
            name: name.parse().expect("a sample has a crate's name"),
            version: "1.0.0".parse().expect("this is a version"),
            checksum: Digest::of(name.as_bytes()),
        },
        lock: Lock { grade: LockGrade::Published, sha256: Digest::of(LOCK) },
        toolchain: Toolchain { release: "1.95.0".into(), commit: "0".repeat(40), host: target.into() },
        environment: Environment::Image { layer: Digest::of(b"a layer") },
        target: target.into(),
        profile: recipe::PROFILE.into(),
        features: Features { default: true, all: false, named: Vec::new() },
        products,
        env: recipe::env(),
        rustflags: recipe::rustflags(products),
        limits: Limits {
            memory_bytes: 1 << 30,
            time_seconds: 600,
            disk_bytes: 1 << 30,
            processes: 512,
            transcript_bytes: 1 << 20,
            jobs: 2,
        },
    }
}
